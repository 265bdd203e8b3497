"""Nets as files: a zip file of their configuration, their weights as `.npy` files, and assets.

``numpy.load`` opens it, too.
"""

import io
import json
from typing import Any

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization.nets import ASSETS, CONFIG, NetParts
from aegmm_detect.untrusted.arrays import array_from_bytes, array_to_bytes
from aegmm_detect.untrusted.stored import read_stored, write_stored
from aegmm_detect.untrusted.text import parsed_object

# Of the path of a weight: a layer in a layer in a model takes four levels.
_LONGEST, _MOST_LEVELS = 1000, 40
_WEIGHTS, _SUFFIX = "weights/", ".npy"


def net_to_bytes(parts: NetParts) -> bytes:
    """The file."""
    weights = {
        f"{_WEIGHTS}{path}{_SUFFIX}": array_to_bytes(array) for path, array in parts.weights.items()
    }
    config = json.dumps(parts.config).encode()
    return write_stored({CONFIG: config, **weights, **parts.assets})


def net_from_bytes(content: bytes, what: str) -> NetParts:
    """Inverse of `net_to_bytes`; what the parts say is not vetted yet.

    Raises
    ------
    ArtefactError
        Not such a file.
    """
    members = read_stored(io.BytesIO(content), what, _is_part)
    config = configuration(members.pop(CONFIG, b""), what)
    assets = {name: members.pop(name) for name in [*members] if name.startswith(ASSETS)}
    weights = {
        name.removeprefix(_WEIGHTS).removesuffix(_SUFFIX): array_from_bytes(data, name)
        for name, data in members.items()
    }
    return NetParts(config, weights, assets)


def configuration(content: bytes, what: str) -> dict[str, Any]:
    """Keras's configuration, out of JSON.

    Raises
    ------
    ArtefactError
        Not a JSON object, or too deep.
    """
    fields = parsed_object(content)
    if fields is None:
        raise ArtefactError(f"{what} has no configuration of a net that can be read.")
    return fields


def is_asset(name: str) -> bool:
    """Whether a member of a file is one of Keras's assets, and leads nowhere else."""
    parts = name.split("/")
    return name.startswith(ASSETS) and not {"", ".", ".."} & set(parts) and "\\" not in name


def _is_part(name: str) -> bool:
    # Each level becomes a group in HDF5.
    short = len(name) <= _LONGEST and name.count("/") <= _MOST_LEVELS
    weights = short and name.startswith(_WEIGHTS) and name.endswith(_SUFFIX)
    return name == CONFIG or weights or is_asset(name)
