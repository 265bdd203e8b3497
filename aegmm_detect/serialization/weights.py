"""Weights as Keras writes them into HDF5, as named arrays and back.

HDF5 is a file system of its own, with links, compression and programs to unpack it; its library
can crash on a flipped bit. So it only ever reads what this process has written.
"""

import io
from collections.abc import Iterable, Mapping

import h5py
import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.types import Array

# NumPy has no such type, and HDF5 keeps its bits: they go by as integers, under a marked name.
_BFLOAT16 = "bfloat16"
_MARK = f"|{_BFLOAT16}"
# Keras wants to find a group for a layer without weights, too.
_GROUP = "/"
# Of the optimizer that the net was compiled with.
_NOT_OF_NETS = "optimizer/"


def arrays_of_h5(content: bytes, what: str) -> dict[str, Array]:
    """Arrays by their path in an HDF5 file of this process.

    Raises
    ------
    ArtefactError
        A layer keeps something other than numbers.
    """
    arrays: dict[str, Array] = {}

    def keep(path: str, found: h5py.Group | h5py.Dataset) -> None:
        if path.startswith(_NOT_OF_NETS):
            return
        if isinstance(found, h5py.Group):
            if not len(found):
                arrays[path + _GROUP] = np.empty(0, np.float32)
            return
        values = found[()]
        if found.attrs.get("dtype") == _BFLOAT16:
            arrays[path + _MARK] = np.asarray(values).view(np.uint16)
        elif np.asarray(values).dtype.kind in "biuf":
            arrays[path] = np.asarray(values)
        else:
            raise ArtefactError(
                f"{what} keeps {path!r}, which is no array of real numbers: no saved detector can "
                "hold it."
            )

    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(keep)
    return arrays


def renamed(arrays: Mapping[str, Array], groups: Iterable[str]) -> dict[str, Array]:
    """What another reader of HDF5 returns, under the names that are used here.

    Parameters
    ----------
    arrays
        By path; bfloat16 as ``V2``.
    groups
        Paths of groups, with and without arrays.
    """
    found = {f"{path}{_GROUP}": np.empty(0, np.float32) for path in groups}
    for path, array in arrays.items():
        if array.dtype == "V2":
            found[path + _MARK] = array.view(np.uint16)
        elif not path.startswith(_NOT_OF_NETS):
            found[path] = array
    return found


def h5_of_arrays(arrays: Mapping[str, Array]) -> bytes:
    """Inverse of `arrays_of_h5`."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for path, array in arrays.items():
            if path.endswith(_GROUP):
                file.require_group(path)
            elif path.endswith(_MARK):
                data = file.create_dataset(path.removesuffix(_MARK), data=array.view("V2"))
                data.attrs["dtype"] = _BFLOAT16
            else:
                file.create_dataset(path, data=array)
    return stream.getvalue()


def check_numbers(arrays: Mapping[str, Array], what: str) -> None:
    """Refuse weights that are not finite.

    Raises
    ------
    ArtefactError
        Names the first one.
    """
    for path, array in arrays.items():
        # The exponent's bits are all set in infinities and NaN.
        marked = path.endswith(_MARK)
        finite = (array & 0x7F80) != 0x7F80 if marked else np.isfinite(array)
        if not finite.all():
            raise ArtefactError(f"{what}: the weights {path} are not finite.")


def count(arrays: Mapping[str, Array]) -> int:
    """How many variables are stored."""
    return sum(not path.endswith(_GROUP) for path in arrays)


def dtypes_of(arrays: Mapping[str, Array]) -> set[str]:
    """Types of the weights, as Keras calls them."""
    return {
        _BFLOAT16 if path.endswith(_MARK) else array.dtype.name
        for path, array in arrays.items()
        if not path.endswith(_GROUP)
    }
