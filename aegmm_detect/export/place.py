"""Where an export is put: which files are an export's, and what may be replaced."""

import os
import stat
from pathlib import Path

from aegmm_detect.configs.export import (
    LARGEST_METADATA,
    METADATA_FILE,
    MODEL_FILES,
    ExportMetadata,
)
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.folders import recover_folder, replace_folder
from aegmm_detect.untrusted.files import read_inside

# What exports held that have no list of their files; TensorFlow chose the names.
_UNLISTED = {
    *MODEL_FILES.values(),
    "fingerprint.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
}
_EMPTY_FOLDERS = {"assets", "variables"}


def listed(folder: Path) -> dict[str, int]:
    """Bytes of each file in `folder` and its folders by its path, but for the metadata."""
    sizes = {
        path.relative_to(folder).as_posix(): path.lstat().st_size
        for path in sorted(folder.rglob("*"))
        if not _is_folder(path)
    }
    sizes.pop(METADATA_FILE, None)
    return sizes


def refuse_foreign(target: Path) -> None:
    """Only an export, or nothing, may be replaced, and only files that it lists removed.

    Raises
    ------
    ArtefactError
        Something else is there.
    """
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise ArtefactError(f"{target} is a file: pass a directory to export to.")
    metadata = _metadata(target)
    if metadata is None:
        if any(target.iterdir()):
            raise ArtefactError(
                f"{target} holds files that do not belong to an export: pass another directory, or "
                "empty this one."
            )
        return
    if others := _others(target, metadata):
        raise ArtefactError(
            f"{target} holds {', '.join(others[:5])} besides an export, which would be lost: move "
            "it, or export to another directory."
        )


def recover(target: Path) -> None:
    """Put back the former export if a process was killed while it replaced it."""
    recover_folder(target, _is_export)


def put(staged: Path, target: Path) -> None:
    """Put the folder `staged`, next to `target`, in its place; see `replace_folder`.

    Raises
    ------
    ArtefactError
        Something that is not an export has come to `target` in the meantime.
    """
    replace_folder(staged, target, refuse_foreign, _is_export)


def _is_export(folder: Path) -> bool:
    """Whether a folder holds an export and nothing else."""
    metadata = _metadata(folder)
    return metadata is not None and not _others(folder, metadata)


def _metadata(folder: Path) -> ExportMetadata | None:
    """Of an export; None if there is no such file. Raises `ArtefactError` if it is another's."""
    try:
        text = read_inside(folder, METADATA_FILE, LARGEST_METADATA)
    except FileNotFoundError:
        return None
    return ExportMetadata.from_json(text, str(folder / METADATA_FILE))


def _others(folder: Path, metadata: ExportMetadata) -> list[str]:
    """Paths in `folder` that do not belong to the export."""
    ours = {METADATA_FILE, *(_UNLISTED if metadata.files is None else metadata.files)}
    folders = {parent.as_posix() for name in ours for parent in Path(name).parents}
    others = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in (folders | _EMPTY_FOLDERS if _is_folder(path) else ours):
            others.append(name)
    return others


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)
