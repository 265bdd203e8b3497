"""Files and folders that appear under their names whole or not at all, whenever the process ends.

What is on its way has a name that nobody can guess, ``.<name>.<16 hex digits>.tmp``, and its writer
holds a lock on it. A lock ends with its process, however that ends: so what a killed process has
left can be told from what another one is writing, and the next write removes it.
"""

import contextlib
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_TOKEN_BYTES = 8
# Where there are no locks: seconds after which something temporary counts as abandoned.
_STALE = 3600.0
# What `open` and `mkdir` ask for; the umask takes away from it.
_FILE_MODE, _FOLDER_MODE = 0o666, 0o777
# Of a mode that is taken over: nobody else's rights (set-user-ID, set-group-ID) go to new content.
PERMISSIONS = 0o777


def write_atomically(path: Path, content: bytes, *, like: Path | None = None) -> None:
    """Put `content` under `path` in one step; a file that was there stays until then.

    What killed writers of the same name have left is removed.

    Parameters
    ----------
    path
        In a folder that exists.
    content
        All of it.
    like
        File whose mode the new one takes, if it exists; else the umask decides. Default: `path`,
        so that what is replaced keeps its mode.
    """
    sweep(path.parent, re.escape(path.name))
    # In the same folder, for only within a file system is replacing one step.
    temporary, descriptor = _new_file(path)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            _take_mode(like or path, descriptor)
            # Or a power cut could leave the new name on an empty file.
            os.fsync(descriptor)
            if sys.platform != "win32":  # with the lock still held
                os.replace(temporary, path)
        if sys.platform == "win32":
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def staged_folder(target: Path, mode: int = _FOLDER_MODE) -> Iterator[Path]:
    """A new empty folder beside `target`, removed at the end with all that is left in it.

    Parameters
    ----------
    target
        In a folder that exists. What former writers of the same target have left is removed.
    mode
        Of the folder; the umask takes away from it. 0o700 for what nobody else may see.
    """
    sweep(target.parent, re.escape(target.name))
    folder, descriptor = _new_folder(target, mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def sweep(folder: Path, pattern: str) -> None:
    """Remove temporary files and folders of targets called like `pattern` that nobody writes."""
    names = temporary_names(pattern)
    with contextlib.suppress(OSError):  # it may not be listed, and that does no harm
        for entry in os.scandir(folder):
            if names.fullmatch(entry.name):
                # Another process may sweep, too; or it may not be ours to remove.
                with contextlib.suppress(OSError):
                    _remove_if_left(Path(entry.path))


def temporary_names(pattern: str) -> re.Pattern[str]:
    """What is on its way to a name that matches `pattern` is called."""
    return re.compile(rf"\.({pattern})\.[0-9a-f]{{{2 * _TOKEN_BYTES}}}\.tmp")


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` last through a power cut, where the system knows how."""
    if sys.platform == "win32":
        return
    # Network file systems refuse it, and folders that may not be listed. The files are safe.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Wait until no other process or thread writes to `folder`; nothing to clean up after a kill.

    Windows, and file systems without locks, are left without.
    """
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock_file(path: Path) -> int | None:
    """Hold a lock under a name, for as long as this process lives; see `unlock_file`.

    Returns
    -------
    What `unlock_file` takes; None on systems without locks.

    Raises
    ------
    BlockingIOError
        Another process, thread or part of this one holds it.
    """
    if sys.platform == "win32":
        return None
    while True:
        descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, _FILE_MODE
        )
        locked = _lock(descriptor)
        if locked is False:
            os.close(descriptor)
            raise BlockingIOError(f"{path} is locked")
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
                return descriptor
        os.close(descriptor)  # whoever held it has removed it in between


def unlock_file(path: Path, descriptor: int | None) -> None:
    """Give a lock back, and leave nothing under its name."""
    if descriptor is not None:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(_TOKEN_BYTES)}.tmp")


def _new_file(path: Path) -> tuple[Path, int]:
    """A new temporary file, open for writing and locked."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # EXCL follows no link
    for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    while True:
        temporary = _temporary(path)
        descriptor = os.open(temporary, flags, _FILE_MODE)
        if _lock(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)  # a sweeper came in between


def _new_folder(target: Path, mode: int) -> tuple[Path, int | None]:
    """A new temporary folder, and the descriptor that holds its lock."""
    while True:
        folder = _temporary(target)
        folder.mkdir(mode)
        if sys.platform == "win32":
            return folder, None
        with contextlib.suppress(FileNotFoundError):  # a sweeper came in between
            descriptor = os.open(folder, os.O_RDONLY)
            if _lock(descriptor) is not False and folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock what is open: True if that worked, False if another has it, None without locks."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_if_left(path: Path) -> None:
    kind = path.lstat()
    if not (stat.S_ISREG(kind.st_mode) or stat.S_ISDIR(kind.st_mode)):
        return
    if sys.platform == "win32":
        locked = None
    else:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        locked = _lock(descriptor)
    try:
        if locked is False or (locked is None and time.time() - kind.st_mtime < _STALE):
            return
        if stat.S_ISDIR(kind.st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        if sys.platform != "win32":
            os.close(descriptor)


def _take_mode(path: Path, descriptor: int) -> None:
    """Give what is open the mode of a plain file, if there is one."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            os.fchmod(descriptor, status.st_mode & PERMISSIONS)
