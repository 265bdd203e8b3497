"""Scores of held-out inliers as a yardstick, and the check that they were held out."""

import abc
import logging
from typing import Any, final

import numpy as np

from aegmm_detect.calibration import Calibration
from aegmm_detect.drift import DriftReport, drift_report
from aegmm_detect.exceptions import NotCalibratedError
from aegmm_detect.inputs import as_rows
from aegmm_detect.numerics.thresholds import rows_needed
from aegmm_detect.od.held_out import check_held_out, chosen_rows
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE
from aegmm_detect.types import BoolArray, FloatArray

logger = logging.getLogger(__name__)

# Of tests, by custom; calibration on rows too few for it is hardly meant.
_USUAL_LEVEL = 0.05


class Calibrating(abc.ABC):
    """Detectors that can be calibrated on rows that they were not trained on."""

    def __init__(self) -> None:
        self._trained_on: RowSketch | None = None
        self._calibration: Calibration | None = None

    @abc.abstractmethod
    def score(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> FloatArray:
        """Anomaly scores of the rows of `X`."""

    def _refresh(self) -> None:  # noqa: B027  # most detectors have nothing to do
        """Forget decisions that no longer go with the scores, where scores change unseen."""

    @abc.abstractmethod
    def _require_fitted(self, method: str) -> None: ...

    @property
    def calibration(self) -> Calibration | None:
        """What `calibrate` made; None before, and after scores have changed."""
        self._refresh()
        return self._calibration

    @final
    def calibrate(
        self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE, *, check_trained: bool = True
    ) -> Calibration:
        """Make `predict` able to give p-values and to hold a false-discovery rate.

        Parameters
        ----------
        X
            Inliers that were not trained on, as for `score`: trained rows score lower than new
            ones, and p-values would come out too small. Rows with NaN, where allowed, do not count.
        batch_size
            As for `score`.
        check_trained
            Whether to look for rows of `X` that `fit` has seen; False for data that repeat by
            nature. Rows are compared by a sample of up to 65,536 hashes of training rows.

        Returns
        -------
        The calibration, which is also kept in `calibration` until the scores change.

        Raises
        ------
        InvalidInputError
            `fit` has seen all rows of `X` (some: a warning is logged); no usable rows; as for
            `score`.
        NotFittedError
            As for `score`.
        """
        self._require_fitted("calibrate")
        scores = self.score(X, batch_size)
        calibration = Calibration(scores[~np.isnan(scores)])
        if check_trained:
            consequence = "p-values come out too small"
            self._check_held_out(X, batch_size, consequence, refuse_all=True)
        if calibration.smallest > _USUAL_LEVEL:
            logger.warning(
                "With %d calibration rows no p-value is below %.3g. Calibrate on at least %d rows "
                "for p-values of %g, and on as many times more as yours are to be smaller.",
                calibration.n,
                calibration.smallest,
                rows_needed(_USUAL_LEVEL),
                _USUAL_LEVEL,
            )
        self._refresh()
        self._calibration = calibration
        return calibration

    @final
    def drift_report(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> DriftReport:
        """Compare the scores of recent rows with those of calibration.

        Parameters
        ----------
        X
            Recent rows, as for `score`; outliers among them count, too.
        batch_size
            As for `score`.

        Returns
        -------
        Kolmogorov-Smirnov statistic and p-value, and the shift of the median; see `DriftReport`.

        Raises
        ------
        NotCalibratedError
            Before `calibrate`.
        NotFittedError, InvalidInputError
            As for `score`; no usable rows.
        """
        self._require_fitted("drift_report")
        calibration = self._required_calibration("a drift report")
        return drift_report(calibration, self.score(X, batch_size))

    def _check_held_out(
        self,
        X: Any,
        batch_size: int,
        consequence: str,
        *,
        only: BoolArray | None = None,
        refuse_all: bool = False,
    ) -> None:
        if self._trained_on is not None:
            batches = as_rows(X).batches(int(batch_size))
            if only is not None:
                batches = chosen_rows(batches, only)
            check_held_out(batches, self._trained_on, consequence, refuse_all=refuse_all)

    def _required_calibration(self, purpose: str = "p-values or fdr=") -> Calibration:
        calibration = self.calibration
        if calibration is None:
            name = type(self).__name__
            raise NotCalibratedError(
                f"{name} has no calibration for {purpose}. Call {name}.calibrate(X) on "
                "inliers that were not trained on."
            )
        return calibration
