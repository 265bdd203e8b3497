"""Regular files, opened once: no pipes, no devices, no links out of their folder, nothing endless.

Looking first and opening then would lose a race against whoever swaps the file in between. So a
file is opened without waiting, and what was opened is looked at.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from aegmm_detect.exceptions import AEGMMError, ArtefactError

# Without O_NONBLOCK, opening a pipe waits for a writer for ever. Windows lacks some of these.
_OPEN = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
    _OPEN |= getattr(os, _name, 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# Passing through a folder takes no permission to list it.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
# What names can be wrong in, or lead to: too long, a loop of links, no folder, a socket.
_BAD_NAME = {
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR),
    *(errno.EISDIR, errno.ENXIO, errno.EINVAL),
}
# A sparse file says that it is large and takes no space on disk; small ones do no harm. File
# systems that compress save less than this on numbers.
_SPARSE_FROM, _SPARSE_SHARE = 2**26, 4
_CHUNK = 2**24


@contextlib.contextmanager
def opened(path: Path, error: type[AEGMMError] = ArtefactError) -> Iterator[BinaryIO]:
    """A regular file, open for reading.

    Parameters
    ----------
    path
        As the caller names it: links in it are followed.
    error
        Raised if it is not a regular file.

    Raises
    ------
    FileNotFoundError
        There is nothing. Other errors of the disk stay `OSError`, too.
    """
    with _as(error, path):
        descriptor = os.open(path, _OPEN)
    with _stream(descriptor, path, error) as stream:
        yield stream


def read_inside(
    folder: Path, name: str, limit: int, error: type[AEGMMError] = ArtefactError
) -> bytes:
    """All of a regular file in a folder; links count only as far as they stay in it.

    Parameters
    ----------
    folder
        As the caller names it: links in its own path are followed.
    name
        Of the file. Volumes of Kubernetes put files there by links to a folder next to them.
    limit
        Largest number of bytes.
    error
        Raised if it is not a regular file, too large, or a link that leads elsewhere.

    Raises
    ------
    FileNotFoundError
        There is nothing.
    """
    path = folder / name
    with _as(error, path):
        root, target = os.path.realpath(folder), os.path.realpath(path)
    parts = Path(target).parts[len(Path(root).parts) :]
    if not parts or os.path.join(root, *parts) != target:
        raise error(f"{path} is a link that leads out of its folder. Copy the file itself there.")
    with _as(error, path):
        descriptor = _open_without_links(root, parts)
    with _stream(descriptor, path, error) as stream:
        return _read(stream, path, limit, error)


def _open_without_links(root: str, parts: tuple[str, ...]) -> int:
    """Part by part, so that a link that somebody puts there meanwhile is not followed."""
    if os.open not in os.supports_dir_fd:
        return os.open(os.path.join(root, *parts), _OPEN | _NO_LINK)
    folder = os.open(root, _FOLDER & ~_NO_LINK)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _OPEN | _NO_LINK, dir_fd=folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _as(error: type[AEGMMError], path: Path) -> Iterator[None]:
    """What a bad name raises, as the package's own error."""
    try:
        yield
    except ValueError as problem:  # a null byte
        raise error(f"{str(path)[:200]!r} is not a name of a file: {problem}.") from problem
    except OSError as problem:
        if problem.errno not in _BAD_NAME:
            raise
        raise error(
            f"{str(path)[:200]} is not a regular file that can be opened: {problem.strerror}."
        ) from problem


def _stream(descriptor: int, path: Path, error: type[AEGMMError]) -> BinaryIO:
    """What was opened, if it is a regular file."""
    try:
        _check_regular(descriptor, path, error)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check_regular(descriptor: int, path: Path, error: type[AEGMMError]) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{path} is not a regular file. Copy the file itself there.")
    blocks = getattr(status, "st_blocks", None)
    on_disk = status.st_size if blocks is None else 512 * blocks
    if status.st_size > _SPARSE_FROM and on_disk < status.st_size // _SPARSE_SHARE:
        raise error(
            f"{path} is a sparse file: it says {status.st_size:,} bytes and holds {on_disk:,}."
        )


def _read(stream: BinaryIO, path: Path, limit: int, error: type[AEGMMError]) -> bytes:
    size = os.fstat(stream.fileno()).st_size
    if size > limit:
        raise error(f"{path} has {size:,} bytes; at most {limit:,} fit.")
    chunks, left = [], size + 1  # a byte more would show that it grows
    while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
        chunks.append(chunk)
        left -= len(chunk)
    content = b"".join(chunks)
    if len(content) != size:
        raise error(f"{path} changes while it is read. Try again.")
    return content
