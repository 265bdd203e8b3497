"""Which nets compute the same function of their inputs and weights?

Nets with the same structure share one compiled program, which takes weights as arguments. That is
correct only if layers keep all of their state in variables. An adapted `keras.layers.Normalization`
does not: its mean is a constant of the graph. So only nets of the layers listed here share
programs. Tests run each of these layers with two sets of weights.
"""

import functools
import inspect
import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import keras

# Layers of Keras whose programs can be shared. Subclasses do not count: they can compute anything.
SHARED_LAYERS = frozenset(
    getattr(keras.layers, name)
    for name in (
        "Activation",
        "AveragePooling1D",
        "AveragePooling2D",
        "BatchNormalization",
        "Conv1D",
        "Conv1DTranspose",
        "Conv2D",
        "Conv2DTranspose",
        "Cropping2D",
        "Dense",
        "Dropout",
        "ELU",
        "Flatten",
        "GaussianNoise",
        "InputLayer",
        "LayerNormalization",
        "LeakyReLU",
        "MaxPooling1D",
        "MaxPooling2D",
        "ReLU",
        "Reshape",
        "Softmax",
        "UpSampling1D",
        "UpSampling2D",
        "ZeroPadding2D",
    )
)
# Entries of a layer's config that do not change what it computes from given weights: its name, its
# seeds, and what is read elsewhere.
_IGNORED = frozenset({"name", "seed", "seeds", "dtype", "build_config"})
_FIRST_VALUES = "_initializer"


class _NotSharedError(Exception):
    """The net holds something that cannot be shared, such as a layer that is not listed."""


def shared_class(cls: type) -> type:
    """Class decorator for layers and nets of this package that keep all state in variables.

    The class must do one of two things. Its `get_config` describes it fully; or it has an attribute
    ``SHARED_PARTS`` with the names of its attributes that hold nets, layers, functions or None.
    With ``SHARED_PARTS``, a method `shared_settings` can return further settings.
    """
    _OURS.add(cls)
    return cls


_OURS: set[type] = set()


def structure_of(net: keras.Model) -> Hashable | None:
    """Key of the net's architecture. Nets with equal keys share programs.

    Parameters
    ----------
    net
        A net that is built.

    Returns
    -------
    Keys of two nets are equal if, and only if, a program traced with one of them also works for the
    other, given its variables in order. None if that is not known.
    """
    try:
        found = _Reader().read(net)
    except _NotSharedError:
        return None
    variables = tuple((tuple(v.shape), str(v.dtype), v.trainable) for v in net.variables)
    return found, variables


class _Reader:
    """Reads the key of one net. A layer that occurs again is replaced by its number."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def read(self, part: Any) -> Hashable:
        if part is None:
            return None
        if not isinstance(part, keras.layers.Layer):
            return _of_function(part)
        if id(part) in self._numbers:
            return ("again", self._numbers[id(part)])
        self._numbers[id(part)] = len(self._numbers)
        kind = type(part)
        common = (kind, part.trainable, str(part.dtype_policy.name), bool(part.autocast))
        if kind is keras.Sequential:
            return (*common, _inputs(part), tuple(self.read(layer) for layer in part.layers))
        if kind in (keras.Model, _functional()):
            return (*common, _inputs(part), *self._read_functional(part))
        if kind not in _OURS and kind not in SHARED_LAYERS:
            raise _NotSharedError
        names = getattr(kind, "SHARED_PARTS", ())
        parts = tuple(self.read(getattr(part, name)) for name in names)
        settings = _config_of(part) if not names else getattr(part, "shared_settings", dict)()
        return (*common, parts, *self._read_settings(settings, part))

    def _read_functional(self, net: Any) -> Iterator[Hashable]:
        # Read the layers before the config: layers that are not listed may have no config.
        for layer in net.layers:
            yield self.read(layer)
        config = _config_of(net)
        names = [entry["name"] for entry in config["layers"]]
        if names != [layer.name for layer in net.layers]:
            raise _NotSharedError  # some nodes are operations of `keras.ops`, not layers
        numbers = {name: number for number, name in enumerate(names)}
        for entry in config["layers"]:
            yield _wiring(entry["inbound_nodes"], numbers)
        yield _wiring([config["input_layers"], config["output_layers"]], numbers)

    def _read_settings(self, config: Mapping[str, Any], layer: Any) -> tuple[Hashable, ...]:
        values, called = {}, []
        for name, value in config.items():
            if name in _IGNORED or name.endswith(_FIRST_VALUES):
                continue
            own = getattr(layer, name, None)
            if callable(own):  # activation (may be a layer), regularizer or constraint
                called.append((name, self.read(own)))
            else:
                values[name] = value
        return _json(values), tuple(called)


@functools.cache
def _functional() -> type:
    """Class of models made from inputs and outputs; Keras has no public name for it."""
    x = keras.Input((1,))
    return type(keras.Model(inputs=x, outputs=x))


def _wiring(tree: Any, numbers: Mapping[str, int]) -> str:
    """Connections between layers, with numbers instead of layer names."""

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            if len(value) == 3 and isinstance(value[0], str) and value[0] in numbers:
                return [numbers[value[0]], *value[1:]]
            return [renamed(item) for item in value]
        return value

    return _json(renamed(tree))


def _inputs(net: Any) -> Hashable:
    """Dtypes and shapes to which a net converts its inputs; None if it does not convert them."""
    try:
        return tuple((tensor.dtype, tuple(tensor.shape[1:])) for tensor in net.inputs)
    except (AttributeError, ValueError):
        return None


def _config_of(part: Any) -> Mapping[str, Any]:
    try:
        config: Mapping[str, Any] = part.get_config()
    except Exception as error:  # a user's own `get_config` can raise anything
        raise _NotSharedError from error
    return config


def _of_function(function: Callable[..., Any]) -> Hashable:
    """Key of a function or callable object of Keras or of this package."""
    kind = function if hasattr(function, "__qualname__") else type(function)
    # A method's name does not say on which object it works.
    if inspect.ismethod(function) or not _is_known(kind):
        raise _NotSharedError
    inner = getattr(function, "functions", ())
    own = (kind, tuple(_of_function(part) for part in inner))
    if hasattr(function, "__qualname__"):
        return own
    return (*own, "" if inner else _json(_config_of(function)))


def _is_known(kind: Any) -> bool:
    """Whether a class or function belongs to Keras or this package, and its name identifies it."""
    module = getattr(kind, "__module__", None) or ""
    return module.startswith(("keras.", "aegmm_detect.")) and "<" not in kind.__qualname__


def _json(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True)
    except TypeError as error:  # an object that is not plain JSON
        raise _NotSharedError from error
