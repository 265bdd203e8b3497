"""A saved detector as a directory.

A directory cannot be replaced in one step. So data files carry their hash in the name and are
never changed; the manifest names those that belong together, and replacing it is the one step.
"""

import contextlib
import os
import re
import time
from collections.abc import Container, Mapping
from pathlib import Path

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.files import one_writer, sweep, sync_folder, write_atomically
from aegmm_detect.listing import first_few
from aegmm_detect.saving.manifest import (
    FILE_NAME,
    LARGEST_MANIFEST,
    MANIFEST,
    Artefact,
    FileEntry,
    Manifest,
    check_content,
)
from aegmm_detect.untrusted.files import read_inside

_DATA_FILE = re.compile(FILE_NAME)
_OURS = rf"{re.escape(MANIFEST)}|\.{re.escape(MANIFEST)}\.pending|{FILE_NAME}"
# The manifest of a save that has begun: what it lists and no other manifest does, a killed save has
# left. A file that is only called like one of ours is nobody's to remove.
_PENDING = f".{MANIFEST}.pending"
# A file of another package's detectors, and who reads them.
_OF_ALIBI = "meta.dill"
_FROM_ALIBI = "aegmm_detect.migrate.from_alibi_detect reads what alibi-detect has saved."
# A writer replaces the files while they are read: how often to begin again.
_ATTEMPTS = 5


def write_directory(folder: Path, artefact: Artefact) -> None:
    """Save to `folder`, made if need be.

    Killed at any moment, it leaves the former detector or the new one.

    Raises
    ------
    ArtefactError
        `folder` is a file, or holds anything but a saved detector.
    """
    if folder.exists() and not folder.is_dir():
        raise ArtefactError(
            f"{folder} is a file. Pass a directory, or a name that ends in .aegmm for a single "
            "file."
        )
    folder.mkdir(parents=True, exist_ok=True)
    sync_folder(folder.parent)
    manifest = folder / MANIFEST
    with one_writer(folder):
        _refuse_foreign(folder)
        former = _files_of(folder, MANIFEST)
        sweep(folder, _OURS)
        _remove(folder, _files_of(folder, _PENDING), former)
        contents, described = artefact.by_name(), artefact.manifest.to_json()
        write_atomically(folder / _PENDING, described)
        for name, content in contents.items():
            write_atomically(folder / name, content, like=manifest)
        sync_folder(folder)
        write_atomically(manifest, described)
        sync_folder(folder)
        _remove(folder, former, contents)
        (folder / _PENDING).unlink(missing_ok=True)


def read_directory(folder: Path) -> Artefact:
    """Load from `folder`, every byte checked against the manifest.

    Raises
    ------
    ArtefactError
        Foreign, damaged or incomplete.
    """
    missing: list[str] = []
    for attempt in range(_ATTEMPTS):
        # Time for a writer to end: it may be between the same two detectors, over and over.
        time.sleep(0.01 * attempt)
        manifest = _manifest(folder)
        missing = [e.name for e in manifest.files.values() if not (folder / e.name).exists()]
        if not missing:
            with contextlib.suppress(FileNotFoundError):
                # Each file once, however many parts share it.
                by_name = {entry.name: entry for entry in manifest.files.values()}
                read = {name: _checked(folder, entry) for name, entry in by_name.items()}
                for entry in manifest.files.values():
                    if entry != by_name[entry.name]:  # or its hash has been compared
                        check_content(entry, read[entry.name], str(folder))
                contents = {role: read[e.name] for role, e in manifest.files.items()}
                return Artefact(manifest, contents)
    if missing:
        raise ArtefactError(
            f"{folder} lacks {', '.join(missing)}. Copy the whole directory, or save the detector "
            "again."
        )
    raise ArtefactError(f"{folder} changes faster than it can be read. Try again.")


def _manifest(folder: Path, name: str = MANIFEST) -> Manifest:
    try:
        content = read_inside(folder, name, LARGEST_MANIFEST)
    except FileNotFoundError:
        hint = _FROM_ALIBI if (folder / _OF_ALIBI).exists() else "Pass what save_detector wrote."
        raise ArtefactError(
            f"{folder} has no {MANIFEST}: it is not a saved detector. {hint}"
        ) from None
    return Manifest.from_json(content, str(folder / name))


def _checked(folder: Path, entry: FileEntry) -> bytes:
    try:
        content = read_inside(folder, entry.name, entry.size)
    except ArtefactError as error:
        raise ArtefactError(
            f"{error} The saved detector is damaged: restore it from a copy, or save it again."
        ) from error
    check_content(entry, content, str(folder))
    return content


def _refuse_foreign(folder: Path) -> None:
    """Only a saved detector may be replaced; hidden files belong to the system or its tools."""
    names = [
        name
        for name in os.listdir(folder)
        if name != MANIFEST and not name.startswith(".") and not _DATA_FILE.fullmatch(name)
    ]
    if names:
        hint = f" {_FROM_ALIBI}" if _OF_ALIBI in names else ""
        raise ArtefactError(
            f"{folder} holds other files: {first_few(sorted(names))}. Save to a directory of its "
            f"own.{hint}"
        )


def _files_of(folder: Path, name: str) -> dict[str, FileEntry]:
    """Data files that a manifest lists, by name; none if it is not there.

    Raises
    ------
    ArtefactError
        It is foreign or damaged.
    """
    if not os.path.lexists(folder / name):
        return {}
    try:
        manifest = _manifest(folder, name)
    except ArtefactError as error:
        raise ArtefactError(
            f"{folder} does not hold a saved detector that could be replaced. Delete its files, or "
            f"save to another directory. {error}"
        ) from error
    return {entry.name: entry for entry in manifest.files.values()}


def _remove(folder: Path, listed: Mapping[str, FileEntry], keep: Container[str]) -> None:
    """Remove data files of a detector, and none that only have such a name."""
    for name, entry in listed.items():
        if name in keep:
            continue
        # It may be gone, or be something else; or someone reads it, which Windows forbids.
        with contextlib.suppress(OSError, ArtefactError):
            check_content(entry, read_inside(folder, name, entry.size), str(folder))
            (folder / name).unlink()
