"""The Keras 2 layers that can be rebuilt, by name; nothing else is ever made.

For each layer stand the settings that decide what it computes. Initialisers are left out, because
weights follow; regularisers and constraints, which only training uses, with a warning. A layer or
a setting that is not listed is an error, not a guess.
"""

import logging
from typing import Any

import keras

from aegmm_detect.exceptions import MigrationError

logger = logging.getLogger(__name__)

_MOST_CHARACTERS = 200
_DENSE = ("units", "activation", "use_bias")
_SLIDING = ("strides", "padding", "data_format")
_TRANSPOSED = ("filters", "kernel_size", "dilation_rate", "activation", "use_bias", *_SLIDING)
_CONV = (*_TRANSPOSED, "groups")
_POOL = ("pool_size", *_SLIDING)
_GLOBAL_POOL = ("data_format", "keepdims")
_NORM = ("axis", "epsilon", "center", "scale")
_SETTINGS = {
    "Activation": ("activation",),
    "AveragePooling1D": _POOL,
    "AveragePooling2D": _POOL,
    "BatchNormalization": (*_NORM, "momentum"),
    "Conv1D": _CONV,
    "Conv1DTranspose": _TRANSPOSED,
    "Conv2D": _CONV,
    "Conv2DTranspose": _TRANSPOSED,
    "Cropping1D": ("cropping",),
    "Cropping2D": ("cropping", "data_format"),
    "Dense": _DENSE,
    "Dropout": ("rate", "noise_shape"),
    "ELU": ("alpha",),
    "Flatten": ("data_format",),
    "GaussianNoise": ("stddev",),
    "GlobalAveragePooling1D": _GLOBAL_POOL,
    "GlobalAveragePooling2D": _GLOBAL_POOL,
    "GlobalMaxPooling1D": _GLOBAL_POOL,
    "GlobalMaxPooling2D": _GLOBAL_POOL,
    "LayerNormalization": _NORM,
    "LeakyReLU": ("alpha",),
    "MaxPooling1D": _POOL,
    "MaxPooling2D": _POOL,
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Reshape": ("target_shape",),
    "Softmax": ("axis",),
    "UpSampling1D": ("size",),
    "UpSampling2D": ("size", "data_format", "interpolation"),
    "ZeroPadding1D": ("padding",),
    "ZeroPadding2D": ("padding", "data_format"),
}
_RENAMED = {("LeakyReLU", "alpha"): "negative_slope"}
# Those that compute the same in Keras 2 and 3. `hard_sigmoid` does not: its slope changed.
_ACTIVATIONS = (
    *("elu", "exponential", "gelu", "leaky_relu", "linear", "mish", "relu", "relu6", "selu"),
    *("sigmoid", "softmax", "softplus", "softsign", "swish", "tanh"),
)
_NO_PART_IN_SCORES = frozenset({"name", "trainable", "batch_input_shape", "seed"})
# Settings of Keras 2 alone, and the value at which they change nothing.
_NEUTRAL = {"groups": 1, "output_padding": None, "synchronized": False, "renorm": False}


def rebuild(class_name: Any, config: dict[str, Any], source: str) -> keras.layers.Layer:
    """One layer with fresh weights.

    Parameters
    ----------
    class_name, config
        From the net's JSON.
    source
        Name of the file, for messages.

    Raises
    ------
    MigrationError
        The layer is not in the list, or has a setting that would be lost.
    """
    if not (isinstance(class_name, str) and class_name in _SETTINGS):
        raise MigrationError(
            f"{source} has a layer {_short(class_name)}, which cannot be rebuilt. These can: "
            f"{', '.join(_SETTINGS)}. Build the net again and fit it here."
        )
    settings = {"trainable": bool(config.get("trainable", True))}
    for name, value in config.items():
        if name == "dtype":
            _check_dtype(value, class_name, source)
        elif name in _SETTINGS[class_name]:
            settings[_RENAMED.get((class_name, name), name)] = _value(name, value)
        elif name.endswith(("_regularizer", "_constraint")):
            _tell_left_out(name, value, class_name, source)
        elif not _changes_nothing(name, value):
            raise MigrationError(
                f"{source}: {class_name} has {name[:100]}={_short(value)}, which cannot be carried "
                "over. Build the net again and fit it here."
            )
    _check_activation(settings.get("activation", "linear"), class_name, source)
    layer: keras.layers.Layer = getattr(keras.layers, class_name)(**settings)
    return layer


def _value(name: str, value: Any) -> Any:
    # Keras 2 writes one axis as a list of one.
    if name == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _changes_nothing(name: str, value: Any) -> bool:
    if name in _NO_PART_IN_SCORES or name.endswith("_initializer"):
        return True
    return name in _NEUTRAL and value == _NEUTRAL[name]


def _tell_left_out(name: str, value: Any, class_name: str, source: str) -> None:
    if value is not None:
        logger.warning(
            "%s: the %s of %s is left out. Scores do not depend on it; a further fit would.",
            source,
            name,
            class_name,
        )


def _check_dtype(dtype: Any, class_name: str, source: str) -> None:
    if dtype != "float32":
        raise MigrationError(
            f"{source}: {class_name} computes in {_short(dtype)}. Only float32 nets can be carried "
            "over."
        )


def _check_activation(activation: Any, class_name: str, source: str) -> None:
    if not (isinstance(activation, str) and activation in _ACTIVATIONS):
        raise MigrationError(
            f"{source}: {class_name} has the activation {_short(activation)}, which cannot be "
            f"rebuilt. These can: {', '.join(_ACTIVATIONS)}."
        )


def _short(value: Any) -> str:
    return repr(value)[:_MOST_CHARACTERS]
