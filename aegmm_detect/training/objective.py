"""The loss that a fit minimises, for any model: a function of a net and a batch."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol

import keras

from aegmm_detect.training.data import ArrayRows
from aegmm_detect.training.updates import Minimise, Update
from aegmm_detect.types import IntArray, Tensor


class Evaluated(NamedTuple):
    """Result of an objective for one batch."""

    values: Mapping[str, Tensor]  # by column; a scalar or one value per member of an ensemble
    # Arguments for the user's metric: rows and their reconstructions. None: nothing to compare.
    compared: tuple[Tensor, Tensor] | None = None


class Values(Protocol):
    """Function of a net and a batch.

    `batch` is rows (N, ...), or (rows, labels (N,)). `arrays` are `Objective.arrays` as tensors.
    `progress` goes from 0 in the first training step to 1 in the last; in validation it is 1.
    """

    def __call__(
        self, net: keras.Model, arrays: Any, batch: Any, progress: Tensor | float, training: bool
    ) -> Evaluated:
        """Compute the values of the batch, including the loss."""


class Objective(NamedTuple):
    """A loss, the columns that it logs, and what one training step does.

    Parameters
    ----------
    columns
        Columns of the log; the first is "loss".
    values
        Function that computes the loss and the other columns.
    key
        Fits whose objectives have equal keys share compiled programs. So equal keys must mean the
        same loss, except for `arrays`. If `values` is a module-level function that depends on its
        arguments alone, use it as the key. Default None: share with no other fit.
    arrays
        A tree of arrays that is passed to `values`.
    update
        What one step does. Default: one optimizer updates all trainable variables.
    select
        Function of the net, the prepared training rows and the epoch number. It returns the indices
        of the rows to train on in that epoch. Default None: all rows in every epoch.
    """

    columns: tuple[str, ...]
    values: Values
    key: Hashable | None = None
    arrays: Any = ()
    update: Update = Minimise()
    select: Callable[[keras.Model, ArrayRows, int], IntArray] | None = None
