"""A saved detector as one file: the files of the directory in a zip file, uncompressed."""

import re
from pathlib import Path

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.files import sync_folder, write_atomically
from aegmm_detect.saving.manifest import (
    FILE_NAME,
    MANIFEST,
    Artefact,
    Manifest,
    check_content,
    is_ours,
)
from aegmm_detect.untrusted.files import opened
from aegmm_detect.untrusted.stored import read_stored, write_stored

SUFFIX = ".aegmm"
_MEMBER = re.compile(f"{re.escape(MANIFEST)}|{FILE_NAME}")


def write_archive(path: Path, artefact: Artefact) -> None:
    """Save to the file `path`; killed at any moment, it leaves the former file or the new one.

    Raises
    ------
    ArtefactError
        `path` is a directory, or a file that is no saved detector.
    """
    if path.is_dir():
        raise ArtefactError(f"{path} is a directory: a name in {SUFFIX} is for a single file.")
    if path.exists() and not _is_detector(path):
        raise ArtefactError(
            f"{path} is not of a saved detector, or is damaged. Delete it, or save under another "
            "name."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    members = {MANIFEST: artefact.manifest.to_json(), **artefact.by_name()}
    write_atomically(path, write_stored(members))
    sync_folder(path.parent)


def read_archive(path: Path) -> Artefact:
    """Load from the file `path`, every byte checked against the manifest.

    Raises
    ------
    ArtefactError
        Foreign, damaged or incomplete.
    """
    with opened(path) as stream:
        members = read_stored(stream, str(path), _MEMBER.fullmatch)
    if MANIFEST not in members:
        raise ArtefactError(
            f"{path} has no {MANIFEST}: it is not a saved detector. Pass what save_detector wrote."
        )
    manifest = Manifest.from_json(members.pop(MANIFEST), f"{MANIFEST} in {path}")
    # Equal contents share a file.
    names = sorted({entry.name for entry in manifest.files.values()})
    if names != sorted(members):
        raise ArtefactError(f"{path} holds {sorted(members)}, its manifest names {names}.")
    contents = {role: members[entry.name] for role, entry in manifest.files.items()}
    for role, content in contents.items():
        check_content(manifest.files[role], content, str(path))
    return Artefact(manifest, contents)


def _is_detector(path: Path) -> bool:
    try:
        with opened(path) as stream:
            members = read_stored(stream, str(path), _MEMBER.fullmatch)
    except ArtefactError:
        return False
    return is_ours(members.get(MANIFEST, b""))
