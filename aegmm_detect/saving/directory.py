"""A saved detector as a directory.

A directory cannot be replaced in one step. So data files carry their hash in the name and are
never changed; the manifest names those that belong together, and replacing it is the one step.
"""

import contextlib
import os
import re
import stat
import time
from pathlib import Path

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.files import one_writer, sync_folder, temporary_names, write_atomically
from aegmm_detect.saving.manifest import (
    FILE_NAME,
    MANIFEST,
    Artefact,
    FileEntry,
    Manifest,
    check_content,
    is_ours,
)

_DATA_FILE = re.compile(FILE_NAME)
_TEMPORARY = temporary_names(f"{re.escape(MANIFEST)}|{FILE_NAME}")
# Of column names, mostly: 64 MiB is a million of them.
_LARGEST_MANIFEST = 2**26
# A writer replaces the files while they are read: how often to begin again.
_ATTEMPTS = 5


def write_directory(folder: Path, artefact: Artefact) -> None:
    """Save to `folder`, made if need be. Files that are not the package's stay as they are.

    Killed at any moment, it leaves the former detector or the new one.

    Raises
    ------
    ArtefactError
        `folder` is a file, or holds another program's manifest.
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
        if manifest.exists() and is_ours(manifest.read_bytes()) is None:
            raise ArtefactError(
                f"{manifest} is not of a saved detector, or is damaged. Delete it, or save to "
                "another directory."
            )
        for name, content in artefact.by_name().items():
            write_atomically(folder / name, content)
        sync_folder(folder)
        write_atomically(manifest, artefact.manifest.to_json())
        sync_folder(folder)
        _sweep(folder, {entry.name for entry in artefact.manifest.files.values()})


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
        content = _read(folder, MANIFEST, _LARGEST_MANIFEST)
        manifest = Manifest.from_json(content, str(folder / MANIFEST))
        missing = [e.name for e in manifest.files.values() if not (folder / e.name).exists()]
        if not missing:
            with contextlib.suppress(FileNotFoundError):
                return Artefact(
                    manifest,
                    {role: _checked(folder, entry) for role, entry in manifest.files.items()},
                )
    if missing:
        raise ArtefactError(
            f"{folder} lacks {', '.join(missing)}. Copy the whole directory, or save the detector "
            "again."
        )
    raise ArtefactError(f"{folder} changes faster than it can be read. Try again.")


def _checked(folder: Path, entry: FileEntry) -> bytes:
    # A byte more than promised would show.
    content = _read(folder, entry.name, entry.size + 1)
    check_content(entry, content, str(folder))
    return content


def _read(folder: Path, name: str, limit: int) -> bytes:
    path = folder / name
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        if name != MANIFEST:
            raise
        raise ArtefactError(
            f"{folder} has no {MANIFEST}: it is not a saved detector. Pass what save_detector "
            "wrote."
        ) from None
    if not stat.S_ISREG(mode):
        # A link can lead anywhere, and reading a pipe never ends.
        raise ArtefactError(f"{path} is a link or no plain file. Copy the files themselves.")
    with path.open("rb") as stream:
        return stream.read(limit)


def _sweep(folder: Path, keep: set[str]) -> None:
    """Delete what former saves, also killed ones, have left."""
    for name in os.listdir(folder):
        ours = _DATA_FILE.fullmatch(name) or _TEMPORARY.fullmatch(name)
        if ours and name not in keep:
            # Someone may still read it, which Windows forbids; the next save tries again.
            with contextlib.suppress(OSError):
                (folder / name).unlink()
