"""The child of `hdf5`: datasets of the files that it is sent, as raw bytes on its standard output.

It runs in a process of its own, because a flipped bit in an HDF5 file can crash the HDF5 library,
and the process with it.

Only what Keras writes is read: hard links, and contiguous data that are really in the file. All
else can lead to other files, or take more memory than the file has bytes.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import h5py
import numpy as np

from aegmm_detect.untrusted.limits import set_limits

# A net within a net takes two levels, a variable two more.
MOST_LEVELS, MOST_OBJECTS = 64, 10_000
# Real numbers, integers, truth values; "V2" is bfloat16, as Keras stores it.
DTYPES = {
    *("|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8"),
    *("<f2", "<f4", "<f8", "|V2"),
}
# Over what the libraries have taken. A file is held three times: as bytes, open, and as arrays.
_SPARE_BYTES, _TIMES = 2**27, 4
# Of the processor; reading takes a hundredth of that.
_SECONDS, _BYTES_PER_SECOND = 2.0, 2**25


def contents(content: bytes, attributes: Sequence[str]) -> tuple[dict[str, Any], list[bytes]]:
    """What one file holds.

    Parameters
    ----------
    content
        Of the file.
    attributes
        Of groups, holding text; they are read where they are.

    Returns
    -------
    A description, ``{'datasets': [[path, dtype, shape], ...], 'attributes': {group: {name: text or
    list of texts}}}``, and the bytes of the datasets.
    """
    # In memory, so there is no folder next to it that anything in it could refer to.
    with h5py.File(h5py.h5f.open_file_image(content)) as file:
        datasets, data, texts, left = [], [], {}, len(content)
        for path, found in _walk(file):
            if isinstance(found, h5py.Group):
                texts[path] = {n: _text(found, n) for n in attributes if n in found.attrs}
                continue
            left -= _checked_size(found, path)
            if left < 0:
                raise ValueError("its datasets say that they are larger than the file")
            array = np.asarray(found[()])
            datasets.append([path, array.dtype.str, array.shape])
            data.append(array.tobytes())
    return {"datasets": datasets, "attributes": texts}, data


def _walk(file: Any) -> Iterator[tuple[str, Any]]:
    """Groups and datasets with their paths; each only once, so that there are no circles."""
    seen: set[int] = set()
    left = [("", file, 0)]
    while left:
        path, found, level = left.pop()
        if not isinstance(found, h5py.Group | h5py.Dataset):
            raise ValueError(f"{_short(path)} is neither a group nor a dataset")
        place = h5py.h5o.get_info(found.id).addr
        if place in seen:
            raise ValueError(f"{_short(path)} is in it under two names")
        seen.add(place)
        yield path, found
        if isinstance(found, h5py.Group):
            names = list(found)
            if level == MOST_LEVELS or len(seen) + len(left) + len(names) > MOST_OBJECTS:
                raise ValueError(
                    f"it is deeper than {MOST_LEVELS} groups, or has more than {MOST_OBJECTS:,}"
                )
            for name in names:
                inner = f"{path}/{name}" if path else name
                if not isinstance(found.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(f"{_short(inner)} is a link, and only data fit")
                left.append((inner, found[name], level + 1))


def _checked_size(data: Any, path: str) -> int:
    """Bytes of a dataset, if the file really holds them."""
    settings = data.id.get_create_plist()
    if settings.get_layout() != h5py.h5d.CONTIGUOUS or settings.get_external_count():
        raise ValueError(f"{_short(path)} is stored in a way that Keras does not use")
    kind = data.id.get_type()
    if data.dtype.str not in DTYPES or kind.get_size() != data.dtype.itemsize:
        raise ValueError(f"{_short(path)} holds {data.dtype}, and no numbers that fit")
    if data.shape is None:
        raise ValueError(f"{_short(path)} has no shape")
    size = math.prod(data.shape) * data.dtype.itemsize  # in integers that do not overflow
    if size != data.id.get_storage_size():
        raise ValueError(f"{_short(path)} says {data.shape}, which the file does not hold")
    return size


def _text(group: Any, name: str) -> str | list[str]:
    value = group.attrs[name]
    if isinstance(value, np.ndarray):
        return [_decoded(item, name) for item in value.ravel()]
    return _decoded(value, name)


def _decoded(value: Any, name: str) -> str:
    if not isinstance(value, bytes | str):
        raise ValueError(f"{name} is not a text")
    return value.decode() if isinstance(value, bytes) else str(value)


def _short(path: str) -> str:
    return path[:200] or "the file"


def _run(order: dict[str, Any], source: BinaryIO, target: BinaryIO) -> None:
    """For each file a line of JSON, the description, and the bytes of its datasets."""
    size = sum(order["sizes"])
    set_limits(_SPARE_BYTES + _TIMES * size, _SECONDS + size / _BYTES_PER_SECOND)
    for size in order["sizes"]:
        description, data = contents(source.read(size), order["attributes"])
        target.write(json.dumps(description).encode() + b"\n")
        target.writelines(data)
        target.flush()


def main(order: dict[str, Any]) -> None:
    """Read files from the standard input and answer; see `run_child`.

    Parameters
    ----------
    order
        ``{'sizes': [...], 'attributes': [...]}``.
    """
    try:
        _run(order, sys.stdin.buffer, sys.stdout.buffer)
    except MemoryError:
        sys.exit("it takes more memory than a file of its size can need")
    except Exception as error:  # h5py raises a dozen types; the caller wants the words
        sys.exit(" ".join(str(error).split()) or type(error).__name__)
