"""Where an export stands: what may be replaced there, and replacing it whole, whenever it ends."""

import ctypes
import os
import re
import secrets
import shutil
import stat
import sys
from pathlib import Path

from aegmm_detect.configs.export import (
    LARGEST_METADATA,
    METADATA_FILE,
    MODEL_FILES,
    ExportMetadata,
)
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.files import one_writer, sync_folder
from aegmm_detect.untrusted.files import read_inside

# What exports held that have no list of their files; TensorFlow chose the names.
_UNLISTED = {
    *MODEL_FILES.values(),
    "fingerprint.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
}
_EMPTY_FOLDERS = {"assets", "variables"}
# Of Linux's renameat2 and of macOS's renamex_np: both names change places.
_HERE, _EXCHANGE, _SWAP = -100, 2, 2


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
                f"{target} holds files that are no export: pass another directory, or empty this "
                "one."
            )
        return
    if others := _others(target, metadata):
        raise ArtefactError(
            f"{target} holds {', '.join(others[:5])} beside an export, which would be lost: move "
            "it, or export to another directory."
        )


def recover(target: Path) -> None:
    """Put back the former export if a process was killed while it replaced it."""
    if target.parent.is_dir():
        with one_writer(target.parent):
            _recover(target)


def put(staged: Path, target: Path) -> None:
    """Put the folder `staged`, beside `target`, in its place; modes stay those of what was there.

    Where the system can exchange two names, there is a whole export under `target` at all times,
    and the former one is under `staged` then. Elsewhere a kill between two renames leaves the
    former one under a name of its own, from which `recover` brings it back.

    Raises
    ------
    ArtefactError
        Something that is no export has come to `target` in the meantime.
    """
    with one_writer(target.parent):
        _recover(target)
        refuse_foreign(target)
        if not os.path.lexists(target):
            os.replace(staged, target)
        else:
            _take_modes(target, staged)
            if not _exchange(staged, target):
                former = _former(target, secrets.token_hex(8))
                os.replace(target, former)
                try:
                    os.replace(staged, target)
                except OSError:
                    os.replace(former, target)
                    raise
                _remove(former)
        sync_folder(target.parent)


def _former(target: Path, token: str) -> Path:
    return target.with_name(f".{target.name}.{token}.former")


def _recover(target: Path) -> None:
    names = re.compile(re.escape(_former(target, "TOKEN").name).replace("TOKEN", "[0-9a-f]{16}"))
    try:
        found = [entry for entry in os.scandir(target.parent) if names.fullmatch(entry.name)]
    except OSError:  # it may not be listed
        return
    folders = [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]
    for former in sorted(folders, key=lambda path: path.lstat().st_mtime):
        metadata = _metadata(former)
        if metadata is None or _others(former, metadata):
            continue  # another program's
        if os.path.lexists(target):
            _remove(former)
        else:
            os.replace(former, target)


def _remove(former: Path) -> None:
    """Under a name that `sweep` knows, should this be killed half-way, too."""
    left = former.with_suffix(".tmp")
    os.replace(former, left)
    shutil.rmtree(left, ignore_errors=True)


def _metadata(folder: Path) -> ExportMetadata | None:
    """Of an export; None if there is no such file. Raises `ArtefactError` if it is another's."""
    try:
        text = read_inside(folder, METADATA_FILE, LARGEST_METADATA)
    except FileNotFoundError:
        return None
    return ExportMetadata.from_json(text, str(folder / METADATA_FILE))


def _others(folder: Path, metadata: ExportMetadata) -> list[str]:
    """Paths in `folder` that are none of the export's."""
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


def _take_modes(former: Path, staged: Path) -> None:
    """Give what is new the modes of what it replaces."""
    for path in (staged, *staged.rglob("*")):
        before = former / path.relative_to(staged)
        if os.path.lexists(before) and not before.is_symlink():
            os.chmod(path, stat.S_IMODE(before.lstat().st_mode))


def _exchange(one: Path, other: Path) -> bool:
    """Let two names change places in one step; False where the system cannot."""
    names = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            done = library.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE)
        elif sys.platform == "darwin":
            done = library.renamex_np(*names, _SWAP)
        else:
            return False
    except (OSError, AttributeError, TypeError):  # no such function, or no such library
        return False
    return bool(done == 0)
