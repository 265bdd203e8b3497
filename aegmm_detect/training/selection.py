"""Select the training rows of each epoch with the current net."""

import keras
import numpy as np

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.training.data import ArrayRows, StreamRows
from aegmm_detect.training.objective import Objective
from aegmm_detect.training.stand_in import Steps
from aegmm_detect.types import IntArray


class Selection(keras.callbacks.Callback):
    """Callback that calls `Objective.select` at the start of each epoch.

    Parameters
    ----------
    objective
        An objective with a `select` function.
    rows
        Prepared training rows; they must be in memory.
    """

    def __init__(self, objective: Objective, rows: ArrayRows | StreamRows) -> None:
        super().__init__()
        if isinstance(rows, StreamRows):
            raise ConfigurationError(
                "This model chooses its training rows anew for every epoch, and needs all of them "
                "in memory: pass an array."
            )
        self._objective, self._rows = objective, rows
        self._numbers: IntArray = np.arange(rows.n_rows)

    def chosen(self) -> IntArray:
        """Indices of the rows to train on in this epoch."""
        return self._numbers

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Select the rows of this epoch."""
        steps: Steps = self.model.steps
        steps.settle()
        select = self._objective.select
        assert select is not None  # `fit` makes a `Selection` only for such objectives
        found = np.asarray(select(self.model.net, self._rows, epoch))
        if not len(found):
            raise ConfigurationError(
                f"No training row is chosen for epoch {epoch + 1}: choose more of them."
            )
        self._numbers = found
