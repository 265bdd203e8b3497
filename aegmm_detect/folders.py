"""A folder replaced whole, whenever the process ends.

Where the system can exchange two names, a whole folder has the name at all times. Elsewhere a kill
between two renames leaves the former one under a name of its own, ``.<name>.<16 hex
digits>.former``, from which `recover_folder` brings it back.
"""

import ctypes
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from aegmm_detect.files import PERMISSIONS, one_writer, sync_folder

# Of Linux's renameat2 and of macOS's renamex_np: both names change places.
_HERE, _EXCHANGE, _SWAP = -100, 2, 2


def replace_folder(
    staged: Path, target: Path, check: Callable[[Path], object], is_ours: Callable[[Path], bool]
) -> None:
    """Put the folder `staged`, next to `target`, in its place; modes stay those of what was there.

    Where the system can exchange two names, the former folder is under `staged` afterwards.

    Parameters
    ----------
    staged, target
        In the same folder.
    check
        Raises if what is at `target` must not be replaced; called when no other writer is at work.
    is_ours
        Whether a folder that looks like a former one is one; see `recover_folder`.
    """
    with one_writer(target.parent):
        _recover(target, is_ours)
        check(target)
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


def recover_folder(target: Path, is_ours: Callable[[Path], bool]) -> None:
    """Put back the former folder if a process was killed while it replaced it.

    Parameters
    ----------
    target
        That was replaced.
    is_ours
        Whether a folder under the name of a former one is one, and not another program's.
    """
    if target.parent.is_dir():
        with one_writer(target.parent):
            _recover(target, is_ours)


def _former(target: Path, token: str) -> Path:
    return target.with_name(f".{target.name}.{token}.former")


def _recover(target: Path, is_ours: Callable[[Path], bool]) -> None:
    names = re.compile(re.escape(_former(target, "TOKEN").name).replace("TOKEN", "[0-9a-f]{16}"))
    try:
        found = [entry for entry in os.scandir(target.parent) if names.fullmatch(entry.name)]
    except OSError:  # it may not be listed
        return
    folders = [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]
    for former in sorted(folders, key=lambda path: path.lstat().st_mtime):
        if not is_ours(former):
            continue
        if os.path.lexists(target):
            _remove(former)
        else:
            os.replace(former, target)


def _remove(former: Path) -> None:
    """Under a name that `sweep` knows, should this be killed half-way, too."""
    left = former.with_suffix(".tmp")
    os.replace(former, left)
    shutil.rmtree(left, ignore_errors=True)


def _take_modes(former: Path, staged: Path) -> None:
    """Give what is new the modes of what it replaces."""
    for path in (staged, *staged.rglob("*")):
        before = former / path.relative_to(staged)
        if os.path.lexists(before) and not before.is_symlink():
            mode = stat.S_IMODE(before.lstat().st_mode)
            # Of a folder, the other bits say whose new files are, and who may remove them.
            os.chmod(path, mode if path.is_dir() else mode & PERMISSIONS)


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
