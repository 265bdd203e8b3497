"""Every function in what Keras writes about a net, put down by what it is.

Keras's configuration and the object that it describes are walked side by side, for only the
object knows which function it holds.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import keras

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization import allow_list
from aegmm_detect.serialization.references import (
    FUNCTION,
    OF_TRAINING,
    function_reference,
    is_function,
    is_of_keras,
    own_name,
)

_MISSING = object()
# Ends of the names of settings of Keras's layers.
_HOLD_FUNCTIONS = ("activation", "initializer", "regularizer", "constraint")
# Where a layer keeps what it was given under another name.
_KEPT_AS = {"layer": "forward_layer"}


class Described:
    """What a walk has found.

    Parameters
    ----------
    what
        Role of the net, for errors.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        # Functions by where they stand, to compare with those of a loaded net.
        self.functions: dict[str, Any] = {}
        # What is not registered and has to be passed at load, by name.
        self.own: dict[str, Any] = {}

    def add_function(self, place: str, function: Any) -> dict[str, Any]:
        """Note a function; returns its reference."""
        self.functions[place] = function
        reference = function_reference(function, f"{self.what}: {place}")
        if own_name(function) is not None:
            self.add_own(function)
        return reference

    def add_own(self, value: Any) -> None:
        """Note a function or class to be passed at load."""
        name = own_name(value)
        if name is not None and self.own.setdefault(name, value) is not value:
            raise ArtefactError(
                f"{self.what} holds two different objects called {name!r}, and could not tell them "
                "apart when it is loaded. Register them under different names."
            )


def check_functions(net: keras.Model, what: str) -> None:
    """Refuse functions in Keras's layers that have no name, before Keras stumbles over them.

    Raises
    ------
    ArtefactError
        Names the layer and the function.
    """
    # The public `layers` leaves out cells, wrapped layers, and what users' layers hold.
    for layer in net._flatten_layers():
        if not is_of_keras(type(layer)):
            continue
        for name, value in vars(layer).items():
            if name.endswith(_HOLD_FUNCTIONS) and value is not None and is_function(value):
                function_reference(value, f"{what}: {layer.name}.{name}")


def describe(config: dict[str, Any], value: Any, what: str) -> Described:
    """Put down the functions in `config` by what they are.

    Parameters
    ----------
    config
        What Keras has written of `value`; it is changed in place.
    value
        A net, a layer, or another object that Keras describes.
    what
        Its role, for errors.

    Raises
    ------
    ArtefactError
        A function cannot be found again by its name.
    """
    found = Described(what)
    _describe(config, value, "", found)
    return found


def _describe(config: dict[str, Any], value: Any, place: str, found: Described) -> None:
    for key in OF_TRAINING:
        config.pop(key, None)
    if not hasattr(value, "get_config"):
        return
    found.add_own(type(value))
    inner = config.get("config")
    if not isinstance(inner, dict):
        return
    of_keras = is_of_keras(type(value))
    for key, written in inner.items():
        where = f"{place}.{key}" if place else key
        if key == "layers" and isinstance(written, list):
            for layer_config, layer in _layers(written, value):
                name = getattr(layer, "name", type(layer).__name__)
                _describe(layer_config, layer, f"{place}.{name}" if place else name, found)
            continue
        inner[key] = _described(written, _held(value, key, written), where, found, of_keras)


def _described(written: Any, held: Any, place: str, found: Described, of_keras: bool) -> Any:
    """What to write for one setting that an object holds."""
    if held is not _MISSING and is_function(held) and written is not None:
        if allow_list.is_activation(written, held):
            found.functions[place] = held
            return written
        # What a user's own class writes otherwise means what that class makes of it.
        return found.add_function(place, held) if of_keras or _is_reference(written) else written
    if _is_object(written):
        _describe(written, held, place, found)
    elif (
        isinstance(written, list) and isinstance(held, (list, tuple)) and len(written) == len(held)
    ):
        pairs = zip(written, held, strict=True)
        return [
            _described(one, other, f"{place}[{i}]", found, of_keras)
            for i, (one, other) in enumerate(pairs)
        ]
    return written


def _layers(written: list[Any], model: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Configurations of a model's layers and operations, each with what it describes."""
    layers = getattr(model, "layers", ())
    by_name = {part.name: part for part in (*layers, *getattr(model, "operations", ()))}
    objects = [config for config in written if _is_object(config)]
    # What Keras writes of a layer without a get_config has no name; then its place tells.
    in_order = iter(layers)
    for config in objects:
        inner = config.get("config")
        name = config.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
        at_this_place = None if config["class_name"] == "InputLayer" else next(in_order, None)
        yield config, by_name.get(name) if name else at_this_place


def _held(value: Any, name: str, written: Any) -> Any:
    """What an object holds for a setting; `_MISSING` if that cannot be seen."""
    try:
        held = getattr(value, name, getattr(value, _KEPT_AS.get(name, name), _MISSING))
    except Exception:  # a property of the user's own class may fail in any way
        held = _MISSING
    if inspect.ismethod(held) and held.__self__ is value:
        return _MISSING  # a method that is called like the setting
    if held is _MISSING and _is_reference(written):
        # Under another name than its setting's.
        for other in vars(value).values():
            named = is_function(other) and hasattr(other, "__name__")
            if named and keras.saving.get_registered_name(other) == written["config"]:
                return other
    return held


def _is_object(written: Any) -> bool:
    return isinstance(written, dict) and isinstance(written.get("class_name"), str)


def _is_reference(written: Any) -> bool:
    return _is_object(written) and written["class_name"] == FUNCTION
