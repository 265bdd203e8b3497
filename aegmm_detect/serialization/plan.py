"""What building a net would take, found without taking it."""

import collections
import hashlib
import json
import math
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization.vet import Vetted
from aegmm_detect.serialization.weights import count
from aegmm_detect.types import Array

# Variables that are not stored (states of random generators) and ones that are stored in less.
_SLACK, _TIMES = 2**20, 4
# Numbers that a layer may make of one row: 64 MiB in float32.
_LARGEST_OUTPUT = 2**24
# Of a recurrence that is written out, or a layer at each step of a series: each becomes operations
# of its own.
_MOST_STEPS = 1000
# Rows that the plan is made for: an odd number, so that an axis of them can be told.
_ROWS = 3
# Plans are remembered for nets alike; a service has few kinds.
_REMEMBERED = 256


class Plan(NamedTuple):
    """What building a net would take."""

    n_bytes: int  # of all variables
    largest_output: int  # numbers that one layer makes of one row
    longest: int  # axis of any of them
    n_weights: int


_plans: collections.OrderedDict[str, Plan] = collections.OrderedDict()
_lock = threading.Lock()


def check_size(vetted: Vetted, weights: Mapping[str, Array], what: str) -> None:
    """Refuse a net that takes more memory than what is stored of it.

    Parameters
    ----------
    vetted
        Its configuration.
    weights
        As stored.
    what
        Its role, for errors.

    Raises
    ------
    ArtefactError
        Its variables or the outputs of a layer are too large.
    """
    try:
        plan = _plan(vetted)
    except Exception:
        # A layer of the user's own may need its variables while it is built.
        if vetted.has_own_classes:
            return
        raise
    stored = sum(array.nbytes for array in weights.values())
    if plan.n_bytes > _TIMES * stored + _SLACK:
        raise ArtefactError(
            f"{what} is described with {plan.n_bytes:,} bytes of weights; {stored:,} are stored."
        )
    if plan.longest > _MOST_STEPS and _is_unrolled(vetted.config):
        raise ArtefactError(
            f"{what} writes steps out (unroll=True, TimeDistributed) in a net with an axis of "
            f"{plan.longest:,}; at most {_MOST_STEPS:,} fit."
        )
    if plan.largest_output > _LARGEST_OUTPUT:
        raise ArtefactError(
            f"{what} has a layer that makes {plan.largest_output:,} numbers of one row; at most "
            f"{_LARGEST_OUTPUT:,} fit."
        )
    # Keras leaves a layer for which it finds nothing as it was drawn. Some store a weight twice.
    n_stored = count(weights)
    if not vetted.has_own_classes and not plan.n_weights <= n_stored <= 2 * plan.n_weights:
        raise ArtefactError(f"{what} has {plan.n_weights} weights, and {n_stored} are stored.")


def _plan(vetted: Vetted) -> Plan:
    # What a name stands for belongs to it: two classes may share a description.
    names = [f"{alias}={id(found)}" for alias, found in vetted.objects.items()]
    text = json.dumps([vetted.config, names], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    with _lock:
        if key in _plans:
            _plans.move_to_end(key)
            return _plans[key]
    plan = _in_thread(vetted)
    with _lock:
        _plans[key] = plan
        while len(_plans) > _REMEMBERED:
            _plans.popitem(last=False)
    return plan


def _in_thread(vetted: Vetted) -> Plan:
    """Build the net without its weights.

    In a thread of its own, because Keras remembers variables to be filled by thread, and these
    never should be.
    """
    found: list[Plan | BaseException] = []

    def run() -> None:
        try:
            with keras.StatelessScope(initialize_variables=False):
                # A copy, because Keras takes those of functional models to pieces.
                net = keras.saving.deserialize_keras_object(
                    _planned(vetted.config),
                    custom_objects={
                        name: _OneStep if found is keras.layers.TimeDistributed else found
                        for name, found in vetted.objects.items()
                    },
                    safe_mode=True,
                )
                found.append(_measured(net))
        except BaseException as error:  # to be raised where it is waited for
            found.append(error)

    thread = threading.Thread(target=run, name="aegmm_detect-plan")
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _measured(net: Any) -> Plan:
    variables = getattr(net, "variables", [])
    sizes = [math.prod(v.shape) * _item_size(v.dtype) for v in variables]
    shapes = _shapes(net)
    return Plan(
        sum(sizes),
        max(map(math.prod, shapes), default=0) // _ROWS,
        max((n for shape in shapes for n in shape), default=0),
        len(getattr(net, "weights", [])),
    )


class _OneStep(keras.layers.TimeDistributed):
    """In place of a layer at each step of a series, that layer once: the shapes are the same."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Outputs of the first step, for every step."""
        first = self.layer(inputs[:, 0])
        return keras.ops.repeat(first[:, None], inputs.shape[1], axis=1)


def _planned(config: Any) -> Any:
    """Copy of a configuration for `_ROWS` rows, in which recurrences are loops."""
    if isinstance(config, list):
        return [_planned(item) for item in config]
    if not isinstance(config, dict):
        return config
    copy = {key: _planned(item) for key, item in config.items()}
    if copy.get("unroll") is True:
        copy["unroll"] = False
    for key in ("batch_shape", "input_shape", "build_input_shape", "shape"):
        sizes = copy.get(key)
        if isinstance(sizes, list) and sizes and sizes[0] is None:
            copy[key] = [_ROWS, *sizes[1:]]
    return copy


def _is_unrolled(config: Any) -> bool:
    if isinstance(config, list):
        return any(map(_is_unrolled, config))
    if not isinstance(config, dict):
        return False
    steps = config.get("unroll") is True or config.get("class_name") == "TimeDistributed"
    return steps or any(map(_is_unrolled, config.values()))


def _item_size(dtype: Any) -> int:
    digits = "".join(c for c in keras.backend.standardize_dtype(dtype) if c.isdigit())
    # 'bfloat16', 'uint8', 'bool'
    return int(digits or 8) // 8 or 1


def _shapes(net: Any) -> list[tuple[int, ...]]:
    """What each layer or operation makes of the rows, or takes on its way."""
    parts = [*getattr(net, "layers", ()), *getattr(net, "operations", ())]
    shapes = [shape for part in parts if part is not net for shape in _shapes(part)]
    for part in (net, *parts):
        # Keras has no public name for all outputs of a layer that is called several times. A test
        # sees to it that this one still leads to them.
        for node in getattr(part, "_inbound_nodes", ()):
            shapes.extend(map(_shape, node.output_tensors))
            if "Attention" in type(part).__name__:
                # Every place looks at every other one.
                places = max(
                    (s[1] for s in map(_shape, node.input_tensors) if len(s) > 1), default=1
                )
                shapes.append((_ROWS, places, places))
    return shapes


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(n or 1 for n in getattr(tensor, "shape", ()))
