"""What makes two fits the same one, so that one can go on where the other was cut off.

Functions (`loss_fn`, `recon_features`) count by their names: what they do cannot be compared.
"""

import hashlib
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from aegmm_detect.sizes import ROWS_AT_ONCE
from aegmm_detect.training.callback_state import settings_of
from aegmm_detect.training.data import ArrayRows, StreamRows
from aegmm_detect.training.optimizers import Optimizers, first_of
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.version import __version__

# Longer values of a difference say no more.
_MOST_CHARACTERS = 60
_MOST_DIFFERENCES = 20
# Of these a description holds only a hash, which says nothing to anybody.
_HASHED = {
    "rows.scaling": "the rows' scaling (other rows, or another normalize=)",
    "rows.values": "the values of the rows, or their order",
    "rows.validation": "the rows held out for validation",
    "nets.layers": "the layers of the nets",
}


def fingerprint(
    settings: dict[str, Any],
    net: keras.Model,
    optimizer: Optimizers,
    rows: TrainingRows,
    callbacks: Sequence[keras.callbacks.Callback],
) -> dict[str, Any]:
    """Description of a fit, as JSON has it.

    Parameters
    ----------
    settings
        Settings and functions by name.
    net
        Its layers and the shapes of its weights count, not their values.
    optimizer
        Its class and configuration count.
    rows
        Prepared; every value counts, and a stream is read once for it.
    callbacks
        The user's.
    """
    known = [v for v in known_before_rows(net, net.variables) if v is not None]
    description = {
        "version": {
            "aegmm_detect": __version__,
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
        "settings": settings,
        "nets": {
            "weights": [list(variable.shape) for variable in known],
            "layers": _digest(list(_layers(net, getattr(net, "context", None)))),
            "recon_features": getattr(net, "recon_features", None),
        },
        "optimizer": {
            "class": type(first_of(optimizer)).__qualname__,
            **_anonymous(optimizer.get_config()),
        },
        "rows": {
            "number": rows.train.n_rows,
            "shape": list(rows.shape),
            "scaling": None if rows.normalizer is None else _digest(rows.normalizer.get_config()),
            "values": _rows_digest(rows.train),
            "validation": None if rows.validation is None else _rows_digest(rows.validation),
        },
        "callbacks": [settings_of(callback) for callback in callbacks],
    }
    return json.loads(_json(description))


def known_before_rows(net: keras.Model, variables: Sequence[Any]) -> list[Any]:
    """Variables of `net`, with None for those of its context.

    Rows and settings decide those, and at the start of a fit the context has not seen them.
    """
    context = getattr(net, "context", None)
    learned = set() if context is None else {id(variable) for variable in context.variables}
    return [None if id(variable) in learned else variable for variable in variables]


def differences(then: Any, now: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Each place where two descriptions differ: its name, and both values."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*then, *now]):
            yield from differences(then.get(key), now.get(key), (*path, key))
    elif then != now:
        yield ".".join(path), then, now


def what_differs(then: Any, now: Any) -> str:
    """The differences of two descriptions, for a message; empty where there are none."""
    found = [
        _HASHED.get(name)
        or f"{name[:_MOST_CHARACTERS]} ({_short(before)} there, {_short(after)} here)"
        for name, before, after in differences(then, now)
    ]
    more = "" if len(found) <= _MOST_DIFFERENCES else f"; and {len(found)} in all"
    return f"{'; '.join(found[:_MOST_DIFFERENCES])}{more}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 3] + "..."


def _layers(net: Any, without: Any = None) -> Iterator[Any]:
    """Class and configuration of every layer, in order."""
    for layer in net.layers:
        if layer is without:
            continue
        if hasattr(layer, "layers"):
            yield type(layer).__qualname__
            yield from _layers(layer)
            continue
        try:
            with warnings.catch_warnings():
                # Of lambdas, which nobody is going to load.
                warnings.simplefilter("ignore")
                config = _anonymous(layer.get_config())
        except NotImplementedError:  # a layer of the user's own that cannot be saved
            config = {}
        yield type(layer).__qualname__, config


def _anonymous(config: Any) -> Any:
    """Without what is new in every process: the names that Keras counts up, and seeds.

    Neither matters to a fit that goes on: initial weights are replaced, and random layers start
    from the seed of the fit.
    """
    if isinstance(config, dict):
        named = "trainable" in config or "learning_rate" in config  # not a dtype's name
        dropped = {"seed", "seeds", *(["name"] if named else [])}
        return {key: _anonymous(value) for key, value in config.items() if key not in dropped}
    if isinstance(config, list | tuple):
        return [_anonymous(value) for value in config]
    return config


def _rows_digest(rows: ArrayRows | StreamRows) -> str:
    content = hashlib.blake2b(digest_size=8)
    for batch in rows.batches(ROWS_AT_ONCE):
        content.update(np.ascontiguousarray(batch).data)
    if isinstance(rows, ArrayRows) and rows.labels is not None:
        content.update(np.ascontiguousarray(rows.labels).data)
    return content.hexdigest()


def _digest(value: Any) -> str:
    return hashlib.blake2b(_json(value).encode(), digest_size=8).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, default=_name)


def _name(value: Any) -> str:
    """Of a function or object, without its place in memory."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
