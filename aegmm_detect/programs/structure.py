"""Which nets compute the same function of their inputs and weights?

Nets of equal structure share one compiled program, which takes weights as arguments. That is right
only if a layer keeps all of its state in variables: an adapted `keras.layers.Normalization`, for
one, keeps its mean as a constant of the graph. So only layers on a list are shared, and each is
tested with two sets of weights.
"""

import functools
import inspect
import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import keras

# Keras's layers, by exact class: a subclass can compute anything.
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
# Of a layer's configuration: what makes its first weights, and what it is called.
_NO_PART = frozenset({"name", "seed", "seeds", "dtype", "build_config"})
_FIRST_VALUES = "_initializer"


class _NotSharedError(Exception):
    """The net holds something that is not on the list."""


def shared_class(cls: type) -> type:
    """Class decorator for layers and nets of this package whose state is all in variables.

    The class may have an attribute ``SHARED_PARTS``, names of attributes that hold nets, layers,
    functions or None, which then belong to its structure; and must have a `get_config` with all
    else, unless it has such parts.
    """
    _OURS.add(cls)
    return cls


_OURS: set[type] = set()


def structure_of(net: keras.Model) -> Hashable | None:
    """What two nets have in common that compute alike with equal weights.

    Parameters
    ----------
    net
        A net whose weights are made.

    Returns
    -------
    Equal for two nets if, and only if, a program that was traced with one of them serves the other,
    given its variables in order. None where that is not known.
    """
    try:
        found = _Reader().read(net)
    except _NotSharedError:
        return None
    variables = tuple((tuple(v.shape), str(v.dtype), v.trainable) for v in net.variables)
    return found, variables


class _Reader:
    """One reading of a net; layers that occur again are referred to by number."""

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
        # Before the configuration, which layers that are not on the list may lack.
        for layer in net.layers:
            yield self.read(layer)
        config = _config_of(net)
        names = [entry["name"] for entry in config["layers"]]
        if names != [layer.name for layer in net.layers]:
            raise _NotSharedError  # some are operations, of `keras.ops`, and no layers
        numbers = {name: number for number, name in enumerate(names)}
        for entry in config["layers"]:
            yield _wiring(entry["inbound_nodes"], numbers)
        yield _wiring([config["input_layers"], config["output_layers"]], numbers)

    def _read_settings(self, config: Mapping[str, Any], layer: Any) -> tuple[Hashable, ...]:
        values, called = {}, []
        for name, value in config.items():
            if name in _NO_PART or name.endswith(_FIRST_VALUES):
                continue
            own = getattr(layer, name, None)
            if callable(own):  # an activation, which can be a layer; a regularizer or a constraint
                called.append((name, self.read(own)))
            else:
                values[name] = value
        return _json(values), tuple(called)


@functools.cache
def _functional() -> type:
    """Of models that are made from inputs and outputs, for which Keras has no public name."""
    x = keras.Input((1,))
    return type(keras.Model(inputs=x, outputs=x))


def _wiring(tree: Any, numbers: Mapping[str, int]) -> str:
    """Who is connected with whom, with numbers in place of names."""

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
    """What a net converts its inputs to; None where it takes them as they are."""
    try:
        return tuple((tensor.dtype, tuple(tensor.shape[1:])) for tensor in net.inputs)
    except (AttributeError, ValueError):
        return None


def _config_of(part: Any) -> Mapping[str, Any]:
    try:
        config: Mapping[str, Any] = part.get_config()
    except Exception as error:  # a user's own code says what its parts are
        raise _NotSharedError from error
    return config


def _of_function(function: Callable[..., Any]) -> Hashable:
    """A function or an object that is called, of Keras or of this package."""
    kind = function if hasattr(function, "__qualname__") else type(function)
    # A method computes by its object, which is no part of its name.
    if inspect.ismethod(function) or not _is_known(kind):
        raise _NotSharedError
    inner = getattr(function, "functions", ())
    own = (kind, tuple(_of_function(part) for part in inner))
    if hasattr(function, "__qualname__"):
        return own
    return (*own, "" if inner else _json(_config_of(function)))


def _is_known(kind: Any) -> bool:
    """Whether a class or function is Keras's or this package's, and can be found by its name."""
    module = getattr(kind, "__module__", None) or ""
    return module.startswith(("keras.", "aegmm_detect.")) and "<" not in kind.__qualname__


def _json(value: Any) -> str:
    try:
        return json.dumps(value, sort_keys=True)
    except TypeError as error:  # an object that does not say what it is
        raise _NotSharedError from error
