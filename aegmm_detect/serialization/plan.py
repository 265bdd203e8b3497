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
from aegmm_detect.types import Array

# Variables that are not stored (states of random generators) and ones that are stored in less.
_SLACK, _TIMES = 2**20, 4
# Numbers that a layer may make of one row: 64 MiB in float32.
_LARGEST_OUTPUT = 2**24
# Of a recurrence that is written out: each step becomes operations of its own.
_MOST_STEPS = 1000
# Plans are remembered for nets alike; a service has few kinds.
_REMEMBERED = 256


class Plan(NamedTuple):
    """What building a net would take."""

    n_bytes: int  # of all variables
    largest_output: int  # numbers that one layer makes of one row
    longest: int  # axis of any of them


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
            f"{what} writes a recurrence out (unroll=True) in a net with an axis of "
            f"{plan.longest:,}; at most {_MOST_STEPS:,} fit."
        )
    if plan.largest_output > _LARGEST_OUTPUT:
        raise ArtefactError(
            f"{what} has a layer that makes {plan.largest_output:,} numbers of one row; at most "
            f"{_LARGEST_OUTPUT:,} fit."
        )


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
                config = _rolled_up(vetted.config)
                net = keras.saving.deserialize_keras_object(
                    config, custom_objects=vetted.objects, safe_mode=True
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
        max(map(math.prod, shapes), default=0),
        max((n for shape in shapes for n in shape), default=0),
    )


def _rolled_up(config: Any) -> Any:
    """Copy of a configuration in which recurrences are loops: the shapes are the same."""
    if isinstance(config, list):
        return [_rolled_up(item) for item in config]
    if not isinstance(config, dict):
        return config
    copy = {key: _rolled_up(item) for key, item in config.items()}
    return copy | {"unroll": False} if copy.get("unroll") is True else copy


def _is_unrolled(config: Any) -> bool:
    if isinstance(config, list):
        return any(map(_is_unrolled, config))
    if not isinstance(config, dict):
        return False
    return config.get("unroll") is True or any(map(_is_unrolled, config.values()))


def _item_size(dtype: Any) -> int:
    digits = "".join(c for c in keras.backend.standardize_dtype(dtype) if c.isdigit())
    # 'bfloat16', 'uint8', 'bool'
    return int(digits or 8) // 8 or 1


def _shapes(net: Any) -> list[tuple[int, ...]]:
    """What each layer or operation makes of one row."""
    parts = [*getattr(net, "layers", ()), *getattr(net, "operations", ())]
    shapes = [shape for part in parts if part is not net for shape in _shapes(part)]
    for part in (net, *parts):
        # Keras has no public name for all outputs of a layer that is called several times. A test
        # sees to it that this one still leads to them.
        for node in getattr(part, "_inbound_nodes", ()):
            for tensor in node.output_tensors:
                shapes.append(tuple(n or 1 for n in getattr(tensor, "shape", ())))
    return shapes
