"""From what a user passes as `optimizer` to an optimizer that belongs to one fit."""

from typing import Any

import keras

from aegmm_detect.exceptions import ConfigurationError


def make_optimizer(
    optimizer: Any, learning_rate: Any, clip_norm: float | None
) -> keras.optimizers.Optimizer:
    """A fresh optimizer: instances are cloned, so that two fits share no momentum.

    Parameters
    ----------
    optimizer
        None for Adam, a Keras optimizer's name or class (its own defaults), or an instance.
    learning_rate
        Number or schedule; of the default Adam only.
    clip_norm
        Largest norm of all gradients together, or None.

    Raises
    ------
    ConfigurationError
        If it is none of these, or already clips in another way.
    """
    if optimizer is None:
        optimizer = keras.optimizers.Adam(learning_rate)
    elif isinstance(optimizer, type) and issubclass(optimizer, keras.optimizers.Optimizer):
        optimizer = optimizer()
    try:
        original = keras.optimizers.get(optimizer)
    except ValueError as error:
        raise ConfigurationError(
            f"optimizer={optimizer!r} is not a Keras optimizer: pass one, its class, or a name "
            "such as 'adam'."
        ) from error
    config = original.get_config()
    if clip_norm is not None:
        if any(config.get(key) for key in ("clipnorm", "clipvalue", "global_clipnorm")):
            raise ConfigurationError(
                "The optimizer already clips gradients: leave clip_norm out, or its own clipping."
            )
        config["global_clipnorm"] = clip_norm
    return type(original).from_config(config)


def variables_of(optimizer: keras.optimizers.Optimizer, net: keras.Model) -> list[Any]:
    """Variables that an optimizer like this one has for `net`; `optimizer` stays as it is."""
    # Not every optimizer can be built twice.
    alike = type(optimizer).from_config(optimizer.get_config())
    alike.build(net.trainable_variables)
    return list(alike.variables)
