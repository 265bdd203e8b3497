"""Nets of Keras 2 built again: listed layers by their configuration, with the stored weights.

Keras's own reader is not used. It makes whatever the configuration names, and some of that runs
code that is stored in the file.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.listing import one_line
from aegmm_detect.migrate import hdf5
from aegmm_detect.migrate.layers import rebuild
from aegmm_detect.migrate.sizes import check_row, check_sizes
from aegmm_detect.migrate.work import check_work, work_of
from aegmm_detect.types import Array
from aegmm_detect.untrusted.text import parsed_object

_MOST_LAYERS = 500


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
        raise MigrationError(
            f"{path.name} describes no net that can be made: {one_line(error)}. It is damaged, or "
            "alibi-detect did not write it: copy the directory again."
        ) from error


def _net(stored: hdf5.StoredNet, source: str) -> keras.Sequential:
    model = parsed_object(stored.config)
    if model is None:
        raise ValueError("not a JSON object, or one that is too deep")
    if model["class_name"] != "Sequential":
        raise MigrationError(
            f"{source} holds a {str(model['class_name'])[:100]!r}. Only keras.Sequential can be "
            "carried over."
        )
    shape = (None, *_row_shape(model["config"], source))
    check_row(shape, source)
    made: list[tuple[keras.layers.Layer, dict[str, Array], str]] = []
    described = model["config"]["layers"]
    if len(described) > _MOST_LAYERS:
        raise MigrationError(f"{source} has {len(described):,} layers; {_MOST_LAYERS} can be made.")
    inputs = keras.Input(shape[1:])
    work = 0
    for layer in described:
        class_name, config = layer["class_name"], layer["config"]
        if class_name == "InputLayer":
            continue
        name = config["name"]
        where = f"{source}, layer {str(name)[:100]!r}"
        rebuilt = rebuild(class_name, config, where)
        weights = _by_name(stored.weights.get(name, {}), where)
        # Before any weight is made: a number in the text decides how large they are.
        before, shape = shape, check_sizes(rebuilt, class_name, shape, weights, where)
        work += work_of(rebuilt, class_name, before, shape)
        check_work(work, where)
        made.append((rebuilt, weights, where))
    if not made:
        raise MigrationError(f"{source} holds a net without layers.")
    net = keras.Sequential([inputs, *(layer for layer, _, _ in made)])
    for rebuilt, weights, where in made:
        _load(rebuilt, weights, where)
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


def _by_name(stored: dict[str, Array], source: str) -> dict[str, Array]:
    """Weights of a layer by Keras 3's names: 'dense_1/kernel:0' is 'kernel'."""
    named = {path.rpartition("/")[2].partition(":")[0]: value for path, value in stored.items()}
    if len(named) != len(stored):
        raise MigrationError(f"{source} has several weights of one name: {str([*stored])[:300]}.")
    return named


def _load(layer: keras.layers.Layer, values: dict[str, Array], source: str) -> None:
    """Assign values that have the shapes of the weights."""
    for weight in layer.weights:
        with np.errstate(over="ignore"):  # what is too large becomes infinity, an error below
            value = values[weight.name].astype(np.float32)
        if not np.isfinite(value).all():
            raise MigrationError(
                f"{source}: {weight.name} holds NaN or infinity. Training failed there, or the "
                "file is damaged: fit a detector here."
            )
        weight.assign(value)
