"""Threshold and calibration of a detector."""

import functools
import logging
from collections.abc import Callable

from aegmm_detect.argument_checks import check_share, check_threshold
from aegmm_detect.calibration import Calibration
from aegmm_detect.decision import is_outlier
from aegmm_detect.exceptions import NotCalibratedError, ThresholdNotInferredError
from aegmm_detect.types import Array, FloatArray

logger = logging.getLogger(__name__)


class Decisions:
    """Threshold and calibration, and whether they still match the current scores.

    Parameters
    ----------
    name
        Name of the detector's class, for messages.
    threshold
        Score above which a row is an outlier; None if there is none yet.
    """

    def __init__(self, name: str, threshold: float | None) -> None:
        self._name = name
        self._threshold: float | None = None
        self._inferred = False
        self.calibration: Calibration | None = None
        self.threshold = threshold

    @property
    def threshold(self) -> float | None:
        """Score above which a row is an outlier. An assigned one stays when the scores change."""
        return self._threshold

    @threshold.setter
    def threshold(self, value: float | None) -> None:
        self._threshold = None if value is None else check_threshold(value)
        self._inferred = False

    @property
    def inferred(self) -> bool:
        """Whether the threshold was inferred from scores; it is cleared when the scores change."""
        return self._inferred

    def keep_inferred(self, threshold: float | None) -> None:
        """Set an inferred threshold; `forget` clears it when the scores change."""
        self._threshold, self._inferred = threshold, True

    def rule(self, fdr: float | None) -> Callable[[FloatArray], Array]:
        """Return the function that decides: scores (N,) -> which rows are outliers, (N,).

        Parameters
        ----------
        fdr
            False-discovery rate over a batch; None to decide by the threshold.

        Raises
        ------
        ThresholdNotInferredError, NotCalibratedError
            There is no threshold, or no calibration.
        ConfigurationError
            `fdr` is not between 0 and 1.
        """
        if fdr is not None:
            share = check_share(fdr, "fdr")
            return functools.partial(self.required_calibration().discoveries, fdr=share)
        if self._threshold is None:
            raise ThresholdNotInferredError(
                f"{self._name} has no threshold to decide by. Call {self._name}.infer_threshold(X) "
                "on a mixed batch, or set .threshold; score(X) needs none."
            )
        return functools.partial(is_outlier, threshold=self._threshold)

    def required_calibration(self, purpose: str = "p-values or fdr=") -> Calibration:
        """The calibration, or `NotCalibratedError`."""
        if self.calibration is None:
            raise NotCalibratedError(
                f"{self._name} has no calibration for {purpose}. Call {self._name}.calibrate(X) on "
                "inliers that were not trained on."
            )
        return self.calibration

    def forget(self, made_for: str) -> None:
        """Clear an inferred threshold and the calibration, because the scores have changed.

        Parameters
        ----------
        made_for
            Source of the old scores, for the log, such as "the former fit".
        """
        if self._inferred:
            logger.warning(
                "The threshold %.6g was inferred for %s and is cleared: call infer_threshold "
                "again.",
                self._threshold,
                made_for,
            )
            self._threshold, self._inferred = None, False
        if self.calibration is not None:
            logger.warning(
                "The calibration on %d rows was made for %s and is cleared: call calibrate again.",
                self.calibration.n,
                made_for,
            )
            self.calibration = None
