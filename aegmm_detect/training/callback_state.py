"""What callbacks remember between epochs, as plain values.

A callback with ``get_state()`` and ``set_state(state)`` speaks for itself. Of any other, those
attributes are kept that hold plain values and have changed since training began; in Keras's own
callbacks (EarlyStopping, ReduceLROnPlateau, ModelCheckpoint, History, ...) that is all there is.
"""

import inspect
import logging
import os
import types
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.serialization.references import is_of_keras
from aegmm_detect.training.plain import digest

logger = logging.getLogger(__name__)

# Keras sets these for every fit.
_OF_THE_FIT = {"params", "_model", "model"}
# Of CSVLogger.
_OPEN_FILES = {"csv_file", "writer"}
# No state: they do not change.
_FIXED = (
    *(type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType),
    *(os.PathLike, logging.Logger),
)
# What training does cannot depend on these.
_NO_MATTER = {"verbose", "append"}


def settings_of(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """Class of a callback and the numbers that its constructor was given.

    Of texts only what is monitored counts: others name files and runs, often by the time of day.
    """
    given: dict[str, Any] = {"class": type(callback).__qualname__}
    for name in inspect.signature(type(callback).__init__).parameters:
        value = vars(callback).get(name)
        if name in _NO_MATTER or not isinstance(value, bool | int | float | str):
            continue
        if not isinstance(value, str) or name in ("monitor", "mode"):
            # Keras turns the sign of this one when it first compares.
            given[name] = abs(value) if name == "min_delta" else value  # type: ignore[arg-type]
    return given


class CallbackStates:
    """States of the callbacks of one fit; to be made before they see it begin.

    Parameters
    ----------
    callbacks
        In the order of the checkpoint.
    """

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        self._callbacks = callbacks
        self._before = self._at_start = [_digests(callback) for callback in callbacks]
        self._said: set[tuple[int, str]] = set()

    def begin(self) -> None:
        """Take note of what a resumed fit starts with."""
        self._at_start = [_digests(callback) for callback in self._callbacks]

    def get(self, finished: bool = False) -> list[Any]:
        """Plain values, one for each callback; a line of the log names what is not kept.

        Parameters
        ----------
        finished
            Whether the states are for callbacks that no fit will ever begin for, so that they lack
            what they set then.

        Raises
        ------
        ConfigurationError
            A ``get_state`` returns something else.
        """
        states = []
        for own, before, start in zip(self._callbacks, self._before, self._at_start, strict=True):
            if _speaks(own):
                states.append(_spoken(own))
                continue
            self._say_what_is_lost(own)
            now = _digests(own)
            changed = {n for n, content in now.items() if content != start.get(n)}
            if finished:
                changed |= {n for n, content in now.items() if content != before.get(n)}
            states.append({name: vars(own)[name] for name in sorted(changed)})
        return states

    def _say_what_is_lost(self, callback: keras.callbacks.Callback) -> None:
        lost = [name for name in _not_kept(callback) if (id(callback), name) not in self._said]
        self._said.update((id(callback), name) for name in lost)
        if lost:
            logger.warning(
                "Checkpoints do not keep %s of %s. If a resumed fit needs it, give the callback "
                "the methods get_state(), which returns plain values, and set_state(state).",
                ", ".join(lost),
                type(callback).__name__,
            )


def set_states(callbacks: Sequence[keras.callbacks.Callback], states: Sequence[Any]) -> None:
    """Give callbacks back what `CallbackStates.get` returned."""
    for callback, state in zip(callbacks, states, strict=True):
        if _speaks(callback):
            callback.set_state(state)
        else:
            for name, value in state.items():
                setattr(callback, name, value)


def check_states(callbacks: Sequence[keras.callbacks.Callback], states: Sequence[Any]) -> None:
    """Make sure that callbacks can take states of a file that anybody may have written.

    Raises
    ------
    ValueError
        Says which cannot, and why.
    """
    if len(callbacks) != len(states):
        raise ValueError(f"states of {len(states)} callbacks for {len(callbacks)}")
    for callback, state in zip(callbacks, states, strict=True):
        if _speaks(callback):
            continue  # what fits, only the callback knows
        name = type(callback).__name__
        if not isinstance(state, dict):
            raise ValueError(f"the state of {name} is not a dictionary")
        for attribute, value in state.items():
            if not (isinstance(attribute, str) and _may_take(callback, attribute, value)):
                raise ValueError(f"{name} cannot take {str(attribute)[:60]!r} from a checkpoint")


def _may_take(callback: keras.callbacks.Callback, name: str, value: Any) -> bool:
    """Whether an attribute is one that training changes, and the value one that it may have."""
    if name in _fixed_names(callback) or name.startswith("__"):
        return False  # among them where it writes its files
    of_class = inspect.getattr_static(type(callback), name, None)
    if callable(of_class) or hasattr(of_class, "__get__"):
        return False  # a method or a property
    if callable(vars(callback).get(name)) and value is not None:
        return False
    if not is_of_keras(type(callback)):
        return True
    if name not in vars(callback) and name not in _mentioned(type(callback)):
        return False
    if isinstance(callback, keras.callbacks.History):
        return _is_history(name, value)
    if name in _OPEN_FILES:
        return False
    now = vars(callback).get(name)
    if name == "best_weights":
        return value is None or (
            isinstance(value, list)
            and all(isinstance(array, np.ndarray | np.generic) for array in value)
        )
    number = isinstance(value, bool | int | float | np.number | np.bool_)
    if isinstance(now, bool | int | float | np.number | np.bool_):
        return number or value is None
    return number or value is None or (isinstance(value, list) and not isinstance(now, dict))


def _is_history(name: str, value: Any) -> bool:
    if name == "epoch":
        return isinstance(value, list) and all(type(epoch) is int for epoch in value)
    return (
        name == "history"
        and isinstance(value, dict)
        and all(isinstance(k, str) and isinstance(column, list) for k, column in value.items())
    )


def _fixed_names(callback: keras.callbacks.Callback) -> set[str]:
    """What no checkpoint keeps or brings back: of the fit, and texts that name files and runs."""
    given = set(inspect.signature(type(callback).__init__).parameters)
    keras_own = is_of_keras(type(callback))
    texts = {
        name
        for name, value in vars(callback).items()
        if isinstance(value, str | os.PathLike) and (keras_own or name in given)
    }
    compared = ("min_delta", "monitor_op") if hasattr(callback, "monitor_op") else ()
    return {*_OF_THE_FIT, *texts, *compared}


def _mentioned(kind: type) -> set[str]:
    """Names in the methods of a class: what a callback sets when a fit begins is among them."""
    codes = (getattr(f, "__code__", None) for k in kind.__mro__ for f in vars(k).values())
    return {name for code in codes if code is not None for name in code.co_names}


def _spoken(callback: Any) -> Any:
    state = callback.get_state()
    if digest(state) is None:
        raise ConfigurationError(
            f"{type(callback).__name__}.get_state() returns {type(state).__name__} that a "
            "checkpoint cannot hold: return numbers, texts, arrays, or lists, tuples, sets and "
            "dictionaries of them."
        )
    return state


def _digests(callback: keras.callbacks.Callback) -> dict[str, str]:
    # `min_delta` among them: Keras turns its sign when it first compares, and would turn it again.
    left_out = _fixed_names(callback)
    contents = {n: digest(v) for n, v in vars(callback).items() if n not in left_out}
    return {name: content for name, content in contents.items() if content is not None}


def _not_kept(callback: keras.callbacks.Callback) -> list[str]:
    if is_of_keras(type(callback)):
        return []
    return [
        name
        for name, value in vars(callback).items()
        if name not in _OF_THE_FIT and digest(value) is None and not isinstance(value, _FIXED)
    ]


def _speaks(callback: Any) -> bool:
    return hasattr(callback, "get_state") and hasattr(callback, "set_state")
