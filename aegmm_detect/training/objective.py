"""What a fit minimises, whatever the model: a function of a net and a batch."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol

import keras
import tensorflow as tf
from keras import ops

from aegmm_detect.types import Tensor

LOSS = "loss"


class Evaluated(NamedTuple):
    """What an objective says of a batch."""

    values: Mapping[str, Tensor]  # by column; a scalar or one value per member of an ensemble
    # What a metric of the user's is given: rows and what the net makes of them.
    compared: tuple[Tensor, Tensor] | None = None


class Values(Protocol):
    """Function of a net and a batch.

    `batch` is rows (N, ...), or (rows, labels (N,)); `arrays` are those of the objective;
    `progress` is 0 at the first step of a training and 1 at its end and in validation.
    """

    def __call__(
        self, net: keras.Model, arrays: Any, batch: Any, progress: Tensor | float, training: bool
    ) -> Evaluated:
        """Values of the batch, the loss among them."""


class Update(Protocol):
    """One step of training: change the net, and return what the log shows of it.

    `evaluate` is a function without arguments that returns the values of the batch by column; its
    regularization is in the loss. To be called within gradient tapes of the update's own.
    """

    def __call__(
        self,
        net: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        evaluate: Callable[[], Mapping[str, Tensor]],
    ) -> Mapping[str, Tensor]:
        """Values of the batch before the step."""


def minimise(
    net: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    evaluate: Callable[[], Mapping[str, Tensor]],
) -> Mapping[str, Tensor]:
    """One step of one optimizer down the gradient of the loss."""
    with tf.GradientTape() as tape:
        values = evaluate()
        # A sum, so that a member of an ensemble learns as it would alone.
        loss = ops.sum(values[LOSS])
    weights = net.trainable_variables
    gradients = tape.gradient(loss, weights)
    # A custom loss may leave a net out.
    gradients = [
        ops.zeros_like(weight) if gradient is None else gradient
        for gradient, weight in zip(gradients, weights, strict=True)
    ]
    optimizer.apply(gradients, weights)
    return values


class Objective(NamedTuple):
    """A loss, the names of what it logs, and how a step goes down.

    Parameters
    ----------
    columns
        Of the log; the first is "loss".
    values
        What is minimised and logged.
    key
        Equal for objectives that compute the same of equal `arrays`: their fits share compiled
        programs. None: nobody knows, as of functions of a user's.
    arrays
        A tree of arrays that `values` is given.
    update
        What a step does. Default: one optimizer, all trainable variables.
    """

    columns: tuple[str, ...]
    values: Values
    key: Hashable | None = None
    arrays: Any = ()
    update: Update = minimise
