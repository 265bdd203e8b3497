"""What one step of training does to a net: one optimizer down one loss, or several in turn."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import keras
import tensorflow as tf
from keras import ops

from aegmm_detect.training.optimizers import OptimizerGroup, Optimizers
from aegmm_detect.types import Tensor

LOSS = "loss"
# Values of the batch at hand by column, regularization included in the loss.
Evaluate = Callable[[], Mapping[str, Tensor]]


class Update(Protocol):
    """One step of training. Equal ones do the same."""

    def optimizers(self, given: keras.optimizers.Optimizer) -> Optimizers:
        """What it works with: `given`, or several like it."""

    def build(self, net: keras.Model, optimizers: Any) -> None:
        """Make the optimizers' variables."""

    def __call__(
        self, net: keras.Model, optimizers: Any, evaluate: Evaluate
    ) -> Mapping[str, Tensor]:
        """Change the net; return the values of the batch before that."""


@dataclasses.dataclass(frozen=True)
class Minimise:
    """All trainable variables down the gradient of the loss."""

    def optimizers(self, given: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
        """The one that is given."""
        return given

    def build(self, net: keras.Model, optimizers: keras.optimizers.Optimizer) -> None:
        """For all trainable variables."""
        optimizers.build(net.trainable_variables)

    def __call__(
        self, net: keras.Model, optimizers: keras.optimizers.Optimizer, evaluate: Evaluate
    ) -> Mapping[str, Tensor]:
        """One step."""
        return _descend(optimizers, net.trainable_variables, LOSS, evaluate)


class Turn(NamedTuple):
    """Whose turn it is, and down which loss."""

    loss: str  # a column
    variables: Callable[[keras.Model], Sequence[Any]]  # of the net, trainable


@dataclasses.dataclass(frozen=True)
class Alternating:
    """Several players in turn, each with variables, a loss and an optimizer of its own.

    The batch is evaluated anew for each turn, so that a player sees what those before it did; the
    values logged are those before the first turn, and each turn's own loss.

    Parameters
    ----------
    turns
        In order. Their variables are different ones.
    """

    turns: tuple[Turn, ...]

    def optimizers(self, given: keras.optimizers.Optimizer) -> OptimizerGroup:
        """One like `given` for each player."""
        return OptimizerGroup.like(given, len(self.turns))

    def build(self, net: keras.Model, optimizers: OptimizerGroup) -> None:
        """For the variables of each player."""
        for turn, own in zip(self.turns, optimizers.optimizers, strict=True):
            own.build(list(turn.variables(net)))

    def __call__(
        self, net: keras.Model, optimizers: OptimizerGroup, evaluate: Evaluate
    ) -> Mapping[str, Tensor]:
        """One turn of each player."""
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
        # A sum, so that a member of an ensemble learns as it would alone.
        total = ops.sum(values[loss])
    gradients = tape.gradient(total, variables)
    # A custom loss may leave a net out.
    gradients = [
        ops.zeros_like(variable) if gradient is None else gradient
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
    optimizer.apply(gradients, variables)
    return values
