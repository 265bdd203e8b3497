"""Arrays by name out of ``.npz`` and ``.mat`` files; nothing is unpickled."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from aegmm_detect.datasets.base import reading
from aegmm_detect.exceptions import AEGMMError, DataIntegrityError
from aegmm_detect.types import Array


def read_arrays(path: Path, keys: Sequence[str]) -> Mapping[str, Array]:
    """Read the arrays `keys` of a file.

    Raises
    ------
    DataIntegrityError
        The file cannot be read, has no such array, or would have to be unpickled.
    """
    with reading(path):
        try:
            content = (_npz if path.suffix.lower() == ".npz" else _mat)(path, keys)
        except (AEGMMError, OSError, MemoryError):
            raise
        # Both readers meet garbled bytes with whatever these happen to break.
        except Exception as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error
    if objects := [key for key in keys if content[key].dtype.hasobject]:
        raise DataIntegrityError(f"{path}: {objects} hold objects, not numbers.")
    return content


def _npz(path: Path, keys: Sequence[str]) -> Mapping[str, Array]:
    # Opened here, because NumPy leaves a garbled file open.
    with path.open("rb") as stream:
        arrays = np.load(stream, allow_pickle=False)
        if isinstance(arrays, np.ndarray):
            raise ValueError("it is a single array, as in a .npy file")
        with arrays:
            _require(path, keys, arrays.files)
            return {key: arrays[key] for key in keys}


def _mat(path: Path, keys: Sequence[str]) -> Mapping[str, Array]:
    try:
        content = loadmat(path, appendmat=False)
    except NotImplementedError as error:
        raise DataIntegrityError(
            f"{path} is a MATLAB 7.3 file (HDF5), which SciPy does not read. Save it with "
            "save(..., '-v7') in MATLAB, or as .npz."
        ) from error
    _require(path, keys, [key for key in content if not key.startswith("__")])
    return {key: content[key] for key in keys}


def _require(path: Path, keys: Sequence[str], found: Sequence[str]) -> None:
    if missing := [key for key in keys if key not in found]:
        raise DataIntegrityError(
            f"{path} has no array {', '.join(map(repr, missing))}; it has {sorted(found)}."
        )
