"""A net from a vetted configuration and its weights, and no larger than these."""

import collections
import copy
import hashlib
import json
import math
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization.bind import Bound
from aegmm_detect.types import Array

# Variables that are not stored (states of random generators) and ones that are stored in less.
_SLACK, _TIMES = 2**20, 4
# Numbers that a layer may make of one row: 64 MiB in float32.
_LARGEST_OUTPUT = 2**24
# Plans are remembered for nets alike; a service has few kinds.
_REMEMBERED = 256


class Plan(NamedTuple):
    """What building a net would take."""

    n_bytes: int  # of all variables
    dtypes: frozenset[str]  # of them
    largest_output: int  # numbers that one layer makes of one row


_plans: collections.OrderedDict[str, Plan] = collections.OrderedDict()
_lock = threading.Lock()


def check_size(bound: Bound, weights: Mapping[str, Array], what: str) -> None:
    """Refuse a net that takes more memory than what is stored of it.

    Parameters
    ----------
    bound
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
    plan = _plan(bound)
    stored = sum(array.nbytes for array in weights.values())
    if plan.n_bytes > _TIMES * stored + _SLACK:
        raise ArtefactError(
            f"{what} is described with {plan.n_bytes:,} bytes of weights; {stored:,} are stored."
        )
    if plan.largest_output > _LARGEST_OUTPUT:
        raise ArtefactError(
            f"{what} has a layer that makes {plan.largest_output:,} numbers of one row; at most "
            f"{_LARGEST_OUTPUT:,} fit."
        )


def _plan(bound: Bound) -> Plan:
    # What a name stands for belongs to it: two classes may share a description.
    names = [f"{alias}={id(found)}" for alias, found in bound.objects.items()]
    text = json.dumps([bound.config, names], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()
    with _lock:
        if key in _plans:
            _plans.move_to_end(key)
            return _plans[key]
    plan = _in_thread(bound)
    with _lock:
        _plans[key] = plan
        while len(_plans) > _REMEMBERED:
            _plans.popitem(last=False)
    return plan


def _in_thread(bound: Bound) -> Plan:
    """Build the net without its weights.

    In a thread of its own, because Keras remembers variables to be filled by thread, and these
    never should be.
    """
    found: list[Plan | BaseException] = []

    def run() -> None:
        try:
            with keras.StatelessScope(initialize_variables=False):
                # Keras takes the configurations of functional models to pieces.
                config = copy.deepcopy(bound.config)
                net = keras.saving.deserialize_keras_object(
                    config, custom_objects=bound.objects, safe_mode=True
                )
                found.append(_measured(net))
        except Exception as error:  # Keras raises whatever a configuration leads it to
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
    dtypes = frozenset(keras.backend.standardize_dtype(v.dtype) for v in variables)
    return Plan(sum(sizes), dtypes, max(_outputs(net), default=0))


def _item_size(dtype: Any) -> int:
    digits = "".join(c for c in keras.backend.standardize_dtype(dtype) if c.isdigit())
    # 'bfloat16', 'uint8', 'bool'
    return int(digits or 8) // 8 or 1


def _outputs(net: Any) -> list[int]:
    """Numbers that each layer or operation makes of one row."""
    parts = [*getattr(net, "layers", ()), *getattr(net, "operations", ())]
    sizes = [size for part in parts if part is not net for size in _outputs(part)]
    for part in (net, *parts):
        for node in getattr(part, "_inbound_nodes", ()):
            shapes = [getattr(tensor, "shape", ()) for tensor in node.output_tensors]
            sizes.extend(math.prod(n or 1 for n in shape) for shape in shapes)
    return sizes
