"""Named arrays as one `.npz` file."""

import io
from collections.abc import Mapping

from aegmm_detect.types import Array
from aegmm_detect.untrusted.arrays import array_from_bytes, array_to_bytes
from aegmm_detect.untrusted.stored import read_stored, write_stored

_SUFFIX = ".npy"


def arrays_to_bytes(arrays: Mapping[str, Array]) -> bytes:
    """Uncompressed `.npz` file, whatever the names: `np.savez` takes some for its own arguments."""
    return write_stored({name + _SUFFIX: array_to_bytes(array) for name, array in arrays.items()})


def arrays_from_bytes(content: bytes) -> dict[str, Array]:
    """Inverse of `arrays_to_bytes`; nothing is unpickled.

    Raises
    ------
    ArtefactError
        No such file, or arrays of anything but numbers.
    """
    members = read_stored(io.BytesIO(content), "state", lambda name: name.endswith(_SUFFIX))
    return {
        name.removesuffix(_SUFFIX): array_from_bytes(data, name) for name, data in members.items()
    }
