"""Does what is about to be saved come back as it is? Asked before anything is replaced."""

import json
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization.describe import describe
from aegmm_detect.types import Array

# Enough for every unit of small nets to be on either side of its bend for some row.
_ROWS = 16


def check_comes_back(detector: Any, loaded: Any) -> None:
    """Compare functions, outputs of every net, and scores, all of them to the bit.

    Parameters
    ----------
    detector
        To be saved.
    loaded
        What was loaded of it.

    Raises
    ------
    ArtefactError
        Says what differs.
    """
    mine, theirs = detector.to_parts(), loaded.to_parts()
    for role, net in mine.nets.items():
        _compare_functions(_functions(net, role), _functions(theirs.nets[role], role), role)
        _compare_outputs(net, theirs.nets[role], role)
    for one, other in zip(mine.described, theirs.described, strict=True):
        _compare_functions(one.functions, other.functions, one.what)
    if mine.rows is not None:
        rows = detector.typical_rows(_ROWS)
        if not _same_bits(detector.fit_scores(rows), loaded.fit_scores(rows)):
            raise _differs("its scores")


def _functions(net: keras.Model, name: str) -> dict[str, Any]:
    # By way of JSON, as it is when a net is saved.
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(net)))
    return describe(config, net, name).functions


def _compare_functions(mine: dict[str, Any], theirs: dict[str, Any], what: str) -> None:
    for place in mine.keys() | theirs.keys():
        if mine.get(place) is not theirs.get(place):
            raise _differs(f"{what}, {place}: {mine.get(place)} in place of {theirs.get(place)}")


def _compare_outputs(mine: keras.Model, theirs: keras.Model, name: str) -> None:
    shape = getattr(mine, "input_shape", None)
    # Keras knows no input of nets of the user's own class; their scores are compared all the same.
    if not isinstance(shape, tuple) or None in shape[1:]:
        return
    x = np.random.default_rng(1).normal(size=(_ROWS, *shape[1:])).astype(np.float32)
    # States of random generators are not saved; the loaded net is for this comparison alone.
    kept = {id(weight) for weight in mine.weights}
    for state, other in zip(mine.variables, theirs.variables, strict=True):
        if id(state) not in kept:
            other.assign(state)
    outputs = []
    for net in (mine, theirs):
        # Outside of this scope, random layers would move on.
        with keras.StatelessScope():
            found = net(x, training=False)
        outputs.append([np.asarray(part) for part in keras.tree.flatten(found)])
    if not all(_same_bits(*pair) for pair in zip(*outputs, strict=True)):
        raise _differs(f"the outputs of {name}")


def _same_bits(mine: Array, theirs: Array) -> bool:
    return mine.dtype == theirs.dtype and mine.tobytes() == theirs.tobytes()


def _differs(what: str) -> ArtefactError:
    return ArtefactError(
        f"The detector cannot be saved: loaded again, it would differ in {what}. A layer, function "
        "or model of your own does not describe itself fully: give it a get_config with all "
        "arguments of its constructor, and register it."
    )
