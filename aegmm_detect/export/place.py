"""Where an export is put: which files are an export's, and what may be replaced."""

import os
import stat
from pathlib import Path
from typing import Any

from aegmm_detect.configs.export import (
    LARGEST_METADATA,
    METADATA_FILE,
    MODEL_FILES,
    ExportMetadata,
)
from aegmm_detect.exceptions import ArtefactError, ConfigurationError
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
# Endings of files; a directory of such a name would be mistaken for one.
_OF_FILES = (
    *(".aegmm", ".bin", ".h5", ".hdf5", ".joblib", ".json", ".keras", ".lite", ".npy", ".npz"),
    *(".onnx", ".ort", ".pb", ".pickle", ".pkl", ".pt", ".pth", ".tar", ".tflite", ".zip"),
)


def where_to_export(path: Any) -> Path:
    """The directory that a name stands for.

    Raises
    ------
    ConfigurationError
        The name is empty, no name, that of a file, or the working directory.
    """
    try:
        name = os.fspath(path)
    except TypeError:
        name = None
    if not isinstance(name, str) or "\0" in name:
        raise ConfigurationError(f"path={path!r:.100}: pass the name of a directory.")
    if not name.strip():
        raise ConfigurationError(
            "path is empty: pass the name of a directory. Is an environment variable not set?"
        )
    stem, ending = os.path.splitext(os.path.basename(name))
    if ending.lower() in _OF_FILES:
        raise ConfigurationError(
            f"path={name!r} ends in {ending}, and an export is a directory, with the graph and "
            f"{METADATA_FILE} in it: pass a name without the ending, such as {stem!r}."
        )
    target = Path(os.path.realpath(name))
    # A folder is replaced whole, and the process would stand in one that is gone.
    if _working_directory().is_relative_to(target):
        raise ConfigurationError(
            f"path={name!r} is the working directory, or one that it lies in, which an export "
            "would replace: pass the name of a directory within it."
        )
    return target


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # it is gone already
        return Path()


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
            f"{target} holds {', '.join(others[:5])} besides an export, and exporting would delete "
            "it: move it, or export to another directory."
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
    sizes = metadata.files
    ours = {METADATA_FILE, *(_UNLISTED if sizes is None else sizes)}
    folders = {parent.as_posix() for name in ours for parent in Path(name).parents}
    others = []
    for path in sorted(folder.rglob("*")):
        name, status = path.relative_to(folder).as_posix(), path.lstat()
        if stat.S_ISDIR(status.st_mode):
            belongs = name in folders | _EMPTY_FOLDERS
        else:
            # Damaged files of an export go, too; a list that a stranger has made may name others.
            known = name in {METADATA_FILE, *_UNLISTED}
            same = known or sizes is None or sizes.get(name) == status.st_size
            belongs = name in ours and stat.S_ISREG(status.st_mode) and same
        if not belongs:
            others.append(name)
    return others


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)
