"""Rows that are chosen anew for every epoch, by the net as it is then."""

import keras
import numpy as np

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.training.data import ArrayRows, StreamRows
from aegmm_detect.training.objective import Objective
from aegmm_detect.training.stand_in import Steps
from aegmm_detect.types import IntArray


class Selection(keras.callbacks.Callback):
    """Asks an objective at the start of each epoch which rows it wants.

    Parameters
    ----------
    objective
        With a `select`.
    rows
        Prepared, in memory.
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
        """Numbers of the rows of this epoch."""
        return self._numbers

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Choose."""
        steps: Steps = self.model.steps
        steps.settle()
        select = self._objective.select
        assert select is not None  # or there would be no selection
        found = np.asarray(select(self.model.net, self._rows, epoch))
        if not len(found):
            raise ConfigurationError(
                f"No training row is chosen for epoch {epoch + 1}: choose more of them."
            )
        self._numbers = found
