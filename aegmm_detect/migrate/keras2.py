"""Nets of Keras 2 made anew: listed layers by their configuration, with the stored weights.

Keras's own reader is not used. It makes whatever the configuration names, and some of that runs
code that is stored in the file.
"""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate import hdf5
from aegmm_detect.migrate.layers import rebuild
from aegmm_detect.types import Array


def read_net(path: Path) -> keras.Sequential:
    """The net in an ``.h5`` file, with its weights.

    Raises
    ------
    MigrationError
        The file is damaged, or holds another kind of net or layer.
    """
    stored = hdf5.read(path)
    # A configuration that is not what Keras writes makes JSON's reader, this code and Keras's
    # own checks raise a dozen types.
    try:
        return _net(stored, path.name)
    except MigrationError:
        raise
    except Exception as error:
        told = str(error).strip().partition("\n")[0] or type(error).__name__
        raise MigrationError(
            f"{path.name} describes no net that can be made: {told}. It is damaged, or "
            "alibi-detect did not write it: copy the directory again."
        ) from error


def _net(stored: hdf5.StoredNet, source: str) -> keras.Sequential:
    model = json.loads(stored.config)
    if model["class_name"] != "Sequential":
        raise MigrationError(
            f"{source} holds a {model['class_name']!r}. Only keras.Sequential can be carried over."
        )
    layers = model["config"]["layers"]
    net = keras.Sequential([keras.Input(_row_shape(model["config"], source))])
    for layer in layers:
        if layer["class_name"] != "InputLayer":
            name = layer["config"]["name"]
            where = f"{source}, layer {name!r}"
            rebuilt = rebuild(layer["class_name"], layer["config"], where)
            net.add(rebuilt)
            _load(rebuilt, stored.weights.get(name, {}), where)
    if not net.layers:
        raise MigrationError(f"{source} holds a net without layers.")
    return net


def _row_shape(config: dict[str, Any], source: str) -> tuple[int, ...]:
    declared = config["layers"][0]["config"].get("batch_input_shape")
    shape = declared or config.get("build_input_shape")
    if not (isinstance(shape, list) and len(shape) > 1):
        raise MigrationError(f"{source} does not say what shape of rows its net takes.")
    if not all(type(size) is int and size > 0 for size in shape[1:]):
        raise MigrationError(
            f"{source}: the net takes rows of shape {tuple(shape[1:])}; only fixed shapes can be "
            "carried over."
        )
    return tuple(shape[1:])


def _load(layer: keras.layers.Layer, stored: dict[str, Array], source: str) -> None:
    # 'dense_1/kernel:0' -> 'kernel', Keras 3's name of it.
    values = {path.rpartition("/")[2].partition(":")[0]: value for path, value in stored.items()}
    found = {name: value.shape for name, value in values.items()}
    needed = {weight.name: tuple(weight.shape) for weight in layer.weights}
    if found != needed or len(values) != len(stored):
        raise MigrationError(f"{source} has weights of shapes {found}; needed are {needed}.")
    for weight in layer.weights:
        value = values[weight.name].astype(np.float32)
        if not np.isfinite(value).all():
            raise MigrationError(
                f"{source}: {weight.name} holds NaN or infinity. Training failed there, or the "
                "file is damaged: fit a detector here."
            )
        weight.assign(value)
