"""Nets to train where those of the user must stay as they are."""

import copy
from typing import Any

import keras

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.listing import one_line
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.serialization.copies import pack, unpack


def net_to_train(name: str, net: Any, n_features: int) -> Any:
    """A net that may be trained: a copy of the user's, or what the user's function returns.

    Parameters
    ----------
    name
        Of the argument.
    net
        A `keras.Model`, or a function of the number of columns. All else is returned as it is.
    n_features
        Number of columns.

    Raises
    ------
    ConfigurationError
        The net cannot be copied.
    """
    # Every keras.Model can be called, too.
    if not isinstance(net, keras.Model):
        return net(n_features) if callable(net) else net
    try:
        packed = pack(net, name)
        return copy.deepcopy(net) if packed is net else unpack(packed, name)
    except Exception as error:  # Keras writes and reads the net, with whatever code it brings
        raise ConfigurationError(
            f"{name} cannot be copied ({one_line(error)}). Register its classes with "
            "keras.saving.register_keras_serializable, or pass a function of the number of columns "
            "that returns the net."
        ) from error


def clone(net: keras.Model) -> keras.Model:
    """A net of the same layers and weights that shares nothing with `net`."""
    # An AEGMM packs its parts one by one.
    other = copy.deepcopy(net) if isinstance(net, AEGMM) else unpack(pack(net, "net"), "net")
    for own, layer in zip(net._flatten_layers(), other._flatten_layers(), strict=True):
        layer.trainable = own.trainable
    return other
