"""Files that appear under their names whole or not at all, whenever the process ends."""

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_TOKEN_BYTES = 8


def write_atomically(path: Path, content: bytes, *, one_name: bool = False) -> None:
    """Put `content` under `path` in one step; a file that was there stays until then.

    Parameters
    ----------
    path
        In a folder that exists.
    content
        All of it.
    one_name
        Whether the file is called the same each time on its way, for a single writer: the next
        write then takes the place of what a killed process left. Default: a name of its own.
    """
    # In the same folder, for only within a file system is replacing one step.
    temporary = path.with_name(
        f"{path.name}.tmp" if one_name else f".{path.name}.{secrets.token_hex(_TOKEN_BYTES)}.tmp"
    )
    try:
        with temporary.open("wb" if one_name else "xb") as stream:
            stream.write(content)
            stream.flush()
            # Or a power cut could leave the new name on an empty file.
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_names(pattern: str) -> re.Pattern[str]:
    """What `write_atomically` calls files on their way to a name that matches `pattern`."""
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
