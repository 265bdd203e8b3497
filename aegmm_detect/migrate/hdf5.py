"""Contents of Keras 2's HDF5 files, read by a child process that may crash."""

import dataclasses
from pathlib import Path

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.types import Array
from aegmm_detect.untrusted.files import read_inside
from aegmm_detect.untrusted.hdf5 import Contents, read_contents

# Nets for tables have thousands of weights, for images some millions.
_LARGEST = 2**30
_ATTRIBUTES = ("model_config", "layer_names", "weight_names")
_WEIGHTS = "model_weights"
_ADVICE = "It is damaged, or alibi-detect did not write it: copy the directory again."


@dataclasses.dataclass(frozen=True, eq=False)
class StoredNet:
    """What a file holds: the net's configuration in JSON, and weights by layer and path."""

    config: str
    weights: dict[str, dict[str, Array]]


def read(path: Path) -> StoredNet:
    """The net in a file.

    Parameters
    ----------
    path
        In the folder ``model`` of a detector; links do not lead out of the detector's folder.

    Raises
    ------
    MigrationError
        The file is missing, damaged or no net of Keras 2.
    """
    try:
        inside = str(Path(path.parent.name) / path.name)
        content = read_inside(path.parent.parent, inside, _LARGEST, MigrationError)
    except OSError as problem:
        raise MigrationError(
            f"{path} is missing or cannot be opened ({problem.strerror}): copy the whole directory "
            "that save_detector wrote, model/ included."
        ) from problem
    (found,) = read_contents({path.name: content}, MigrationError, _ATTRIBUTES, _ADVICE).values()
    try:
        return _stored_net(found)
    except ValueError as problem:
        raise MigrationError(f"{path.name} cannot be read: {problem}. {_ADVICE}") from problem


def _stored_net(found: Contents) -> StoredNet:
    config = found.attributes[""].get("model_config")
    if not isinstance(config, str):
        raise ValueError("it holds no net: there is no 'model_config'")
    return StoredNet(
        config,
        {
            layer: {
                weight: _array(found, f"{_WEIGHTS}/{layer}/{weight}")
                for weight in _names(found, f"{_WEIGHTS}/{layer}", "weight_names")
            }
            for layer in _names(found, _WEIGHTS, "layer_names")
        },
    )


def _names(found: Contents, group: str, attribute: str) -> list[str]:
    names = found.attributes.get(group, {}).get(attribute)
    # Keras writes an empty list for a layer without weights.
    if not isinstance(names, list):
        raise ValueError(f"there is no list {attribute!r} in {group[:200]!r}")
    return names


def _array(found: Contents, path: str) -> Array:
    array = found.datasets.get(path)
    if array is None:
        raise ValueError(f"there is no {path.rpartition('/')[2][:200]!r} in it")
    if array.dtype.kind != "f":
        raise ValueError(f"{path[:200]} holds no real numbers")
    return array
