"""From what a user passes as `optimizer` to an optimizer that belongs to one fit."""

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

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


class OptimizerGroup:
    """Optimizers of several players; Keras and its callbacks see the first.

    Parameters
    ----------
    optimizers
        In order, at least one.
    """

    def __init__(self, optimizers: Sequence[keras.optimizers.Optimizer]) -> None:
        self.optimizers = tuple(optimizers)

    @classmethod
    def like(cls, optimizer: keras.optimizers.Optimizer, n: int) -> Self:
        """`n` of them with the settings of `optimizer`."""
        return cls([another(optimizer) for _ in range(n)])

    @property
    def variables(self) -> list[Any]:
        """Of all of them."""
        return [variable for own in self.optimizers for variable in own.variables]

    @property
    def iterations(self) -> Any:
        """Steps that have been taken."""
        return self.optimizers[0].iterations

    def get_config(self) -> dict[str, Any]:
        """Settings, which are the same for all, and how many there are."""
        return {**self.optimizers[0].get_config(), "players": len(self.optimizers)}

    def share_rate(self) -> None:
        """Give all of them the learning rate that a callback has given to the first."""
        first, *others = self.optimizers
        if not isinstance(first.get_config()["learning_rate"], dict):  # that of a schedule
            for other in others:
                other.learning_rate = float(first.learning_rate)


# What trains a net.
Optimizers: TypeAlias = keras.optimizers.Optimizer | OptimizerGroup


def another(optimizer: Optimizers) -> Any:
    """An optimizer, or a group, with the same settings; not built."""
    if isinstance(optimizer, OptimizerGroup):
        return OptimizerGroup([another(own) for own in optimizer.optimizers])
    return type(optimizer).from_config(optimizer.get_config())


def set_rate(optimizer: Optimizers, rate: Any) -> None:
    """Assign a learning rate, within a program or outside, where no schedule decides it."""
    group = optimizer.optimizers if isinstance(optimizer, OptimizerGroup) else (optimizer,)
    for own in group:
        own.learning_rate.assign(rate)


def first_of(optimizer: Optimizers) -> keras.optimizers.Optimizer:
    """The one that Keras sees."""
    return optimizer.optimizers[0] if isinstance(optimizer, OptimizerGroup) else optimizer
