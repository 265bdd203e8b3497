"""Zip files without compression, read with suspicion.

What is stored as it is cannot grow: there are no bombs to guess a limit for.
"""

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from aegmm_detect.exceptions import AEGMMError, ArtefactError

# What the standard library raises for bytes that are not a zip file, or not quite.
_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    OSError,
    OverflowError,
    LookupError,
    struct.error,
)
# Bytes of an entry in the list of members, its name apart, and of the record after the list.
_ENTRY, _END = 46, 22
# The oldest that the format knows: the same contents make the same bytes at any time.
_DATE = (1980, 1, 1, 0, 0, 0)


# Beyond, zip files have another layout, which is not read here.
LARGEST = 2**31 - 2**20
_MOST_MEMBERS = 2**16 - 2


def write_stored(members: Mapping[str, bytes]) -> bytes:
    """Zip file of `members`, by name, as bytes.

    Raises
    ------
    ArtefactError
        They are more than could be read again.
    """
    size = sum(map(len, members.values()))
    if size > LARGEST or len(members) > _MOST_MEMBERS:
        raise ArtefactError(
            f"{size:,} bytes in {len(members):,} parts do not fit in one file: at most {LARGEST:,} "
            f"bytes in {_MOST_MEMBERS:,} parts do. Save to a directory, or make the nets smaller."
        )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return stream.getvalue()


def read_stored(
    stream: BinaryIO,
    where: str,
    allowed: Callable[[str], object],
    error: type[AEGMMError] = ArtefactError,
) -> dict[str, bytes]:
    """Members of a zip file by name.

    Parameters
    ----------
    stream
        Seekable.
    where
        For errors.
    allowed
        Whether a member may have this name.
    error
        Raised for what does not fit.

    Raises
    ------
    AEGMMError
        No zip file or a damaged one; compressed, encrypted or overlapping members, links,
        directories, repeated or other names.
    """
    try:
        size = stream.seek(0, io.SEEK_END)
        with zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
            names = [info.filename for info in infos]
            first = min((info.header_offset for info in infos), default=0)
            if first or size != archive.start_dir + _directory_size(infos) + len(archive.comment):
                # Of a file that was cut, the end of a zip file inside of it is taken for its own.
                raise error(
                    f"{where} is damaged or cut short: it has bytes before or after its members. "
                    "Restore it from a copy, or write it again."
                )
            for info in infos:
                _check(info, where, allowed, error)
            if len(set(names)) < len(names) or sum(info.file_size for info in infos) > size:
                raise error(f"{where} holds a member twice, or more than its own size.")
            return {info.filename: archive.read(info) for info in infos}
    except error:
        raise
    except _DAMAGE as problem:
        raise error(
            f"{where} is not a zip file, or is damaged or cut short: {problem}. Restore it from a "
            "copy, or write it again."
        ) from problem


def _directory_size(infos: Sequence[zipfile.ZipInfo]) -> int:
    """Of the list of members at the end of a file."""
    names = sum(len(info.orig_filename.encode()) for info in infos)
    more = sum(len(info.extra) + len(info.comment) for info in infos)
    return _ENTRY * len(infos) + names + more + _END


def _check(
    info: zipfile.ZipInfo, where: str, allowed: Callable[[str], object], error: type[AEGMMError]
) -> None:
    if not allowed(info.filename):
        raise error(f"{where} holds {info.filename!r:.200}, which does not belong there.")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise error(
            f"{info.filename[:200]} in {where} is compressed. Members must be stored as they are "
            "(zip -0), so that none can unpack to more than it says."
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or info.flag_bits & 1:
        raise error(f"{info.filename[:200]} in {where} is a link, no plain file, or encrypted.")
