"""What a fit minimises, whatever the model: a function of a net and a batch."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, Protocol

import keras

from aegmm_detect.training.data import ArrayRows
from aegmm_detect.training.updates import Minimise, Update
from aegmm_detect.types import IntArray, Tensor


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


class Objective(NamedTuple):
    """A loss, the names of what it logs, and how a step goes down.

    Parameters
    ----------
    columns
        Of the log; the first is "loss".
    values
        What is minimised and logged.
    key
        Fits whose objectives have equal keys share compiled programs, so equal keys must mean the
        same loss, up to `arrays`. A function of a module that depends on its arguments alone is
        its own key. Default None: share with no other fit.
    arrays
        A tree of arrays that `values` is given.
    update
        What a step does. Default: one optimizer, all trainable variables.
    select
        Function of the net, the prepared training rows and the number of the epoch that returns the
        numbers of the rows to train on in it. Default None: all rows, in every epoch.
    """

    columns: tuple[str, ...]
    values: Values
    key: Hashable | None = None
    arrays: Any = ()
    update: Update = Minimise()
    select: Callable[[keras.Model, ArrayRows, int], IntArray] | None = None
