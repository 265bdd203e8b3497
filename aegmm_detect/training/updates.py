"""What one training step does: one optimizer minimises one loss, or several take turns."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import keras
import tensorflow as tf
from keras import ops

from aegmm_detect.training.optimizers import OptimizerGroup, Optimizers
from aegmm_detect.types import Tensor

LOSS = "loss"
# Function: returns the values of the current batch by column; the loss includes regularization.
Evaluate = Callable[[], Mapping[str, Tensor]]


class Update(Protocol):
    """One training step. Two that are equal must do the same."""

    def optimizers(self, given: keras.optimizers.Optimizer) -> Optimizers:
        """The optimizer to use: `given`, or one copy per player."""

    def build(self, net: keras.Model, optimizers: Any) -> None:
        """Make the optimizers' variables."""

    def __call__(
        self, net: keras.Model, optimizers: Any, evaluate: Evaluate
    ) -> Mapping[str, Tensor]:
        """Update the net; return the values of the batch from before the update."""


@dataclasses.dataclass(frozen=True)
class Minimise:
    """Minimise the loss over all trainable variables."""

    def optimizers(self, given: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
        """The optimizer to use: `given`."""
        return given

    def build(self, net: keras.Model, optimizers: keras.optimizers.Optimizer) -> None:
        """Make the optimizer's variables for all trainable variables."""
        optimizers.build(net.trainable_variables)

    def __call__(
        self, net: keras.Model, optimizers: keras.optimizers.Optimizer, evaluate: Evaluate
    ) -> Mapping[str, Tensor]:
        """Take one step."""
        return _descend(optimizers, net.trainable_variables, LOSS, evaluate)


class Turn(NamedTuple):
    """One player's turn: the loss to minimise and the variables to update."""

    loss: str  # a column
    variables: Callable[[keras.Model], Sequence[Any]]  # returns trainable variables of the net


@dataclasses.dataclass(frozen=True)
class Alternating:
    """Several players take turns, as in a GAN. Each has its own variables, loss and optimizer.

    The batch is evaluated again for each turn, so a player sees the updates of those before it. The
    log has each player's loss from its own turn, and all other values from before the first turn.

    Parameters
    ----------
    turns
        Turns in order. No two may update the same variable.
    """

    turns: tuple[Turn, ...]

    def optimizers(self, given: keras.optimizers.Optimizer) -> OptimizerGroup:
        """The optimizers to use: one copy of `given` per player."""
        return OptimizerGroup.like(given, len(self.turns))

    def build(self, net: keras.Model, optimizers: OptimizerGroup) -> None:
        """Make the variables of each player's optimizer."""
        for turn, own in zip(self.turns, optimizers.optimizers, strict=True):
            own.build(list(turn.variables(net)))

    def __call__(
        self, net: keras.Model, optimizers: OptimizerGroup, evaluate: Evaluate
    ) -> Mapping[str, Tensor]:
        """Take one turn of each player."""
        logged: dict[str, Tensor] = {}
        for turn, own in zip(self.turns, optimizers.optimizers, strict=True):
            values = _descend(own, list(turn.variables(net)), turn.loss, evaluate)
            logged = {**values, **logged, turn.loss: values[turn.loss]}
        return logged


def _descend(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[Any], loss: str, evaluate: Evaluate
) -> Mapping[str, Tensor]:
    with tf.GradientTape() as tape:
        values = evaluate()
        # Sum over the members of an ensemble, so that each learns as it would alone.
        total = ops.sum(values[loss])
    gradients = tape.gradient(total, variables)
    # A custom loss may not depend on all nets.
    gradients = [
        ops.zeros_like(variable) if gradient is None else gradient
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
    optimizer.apply(gradients, variables)
    return values
