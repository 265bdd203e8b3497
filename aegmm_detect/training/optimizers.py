"""Make the optimizer of a fit from the user's `optimizer` argument."""

from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import keras

from aegmm_detect.exceptions import ConfigurationError


def make_optimizer(
    optimizer: Any, learning_rate: Any, clip_norm: float | None
) -> keras.optimizers.Optimizer:
    """Make a new optimizer. An instance is cloned, so that two fits share no momentum.

    Parameters
    ----------
    optimizer
        None for Adam; name or class of a Keras optimizer, which then has its defaults; or an
        instance.
    learning_rate
        Number or schedule. It is used only for the default Adam.
    clip_norm
        Maximum norm of all gradients together (Keras's ``global_clipnorm``), or None.

    Raises
    ------
    ConfigurationError
        `optimizer` is none of these, or it already clips gradients and `clip_norm` is given.
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
    """Optimizers of several players. Keras and its callbacks see only the first.

    Parameters
    ----------
    optimizers
        At least one, in order of the turns.
    """

    def __init__(self, optimizers: Sequence[keras.optimizers.Optimizer]) -> None:
        self.optimizers = tuple(optimizers)

    @classmethod
    def like(cls, optimizer: keras.optimizers.Optimizer, n: int) -> Self:
        """Make a group of `n` optimizers with the settings of `optimizer`."""
        return cls([another(optimizer) for _ in range(n)])

    @property
    def variables(self) -> list[Any]:
        """Variables of all optimizers."""
        return [variable for own in self.optimizers for variable in own.variables]

    @property
    def iterations(self) -> Any:
        """Number of steps taken."""
        return self.optimizers[0].iterations

    def get_config(self) -> dict[str, Any]:
        """Settings, which all optimizers share, and the number of optimizers."""
        return {**self.optimizers[0].get_config(), "players": len(self.optimizers)}

    def share_rate(self) -> None:
        """Copy the learning rate of the first, which a callback may have set, to the others."""
        first, *others = self.optimizers
        if not isinstance(first.get_config()["learning_rate"], dict):  # a schedule
            for other in others:
                other.learning_rate = float(first.learning_rate)


# One optimizer, or one per player.
Optimizers: TypeAlias = keras.optimizers.Optimizer | OptimizerGroup


def another(optimizer: Optimizers) -> Any:
    """Make an optimizer, or a group, with the same settings. It is not built."""
    if isinstance(optimizer, OptimizerGroup):
        return OptimizerGroup([another(own) for own in optimizer.optimizers])
    return type(optimizer).from_config(optimizer.get_config())


def set_rate(optimizer: Optimizers, rate: Any) -> None:
    """Assign a learning rate, in a program or outside. The optimizer must not have a schedule."""
    group = optimizer.optimizers if isinstance(optimizer, OptimizerGroup) else (optimizer,)
    for own in group:
        own.learning_rate.assign(rate)


def first_of(optimizer: Optimizers) -> keras.optimizers.Optimizer:
    """The optimizer itself, or the first of a group: the one that Keras sees."""
    return optimizer.optimizers[0] if isinstance(optimizer, OptimizerGroup) else optimizer
