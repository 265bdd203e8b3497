"""From scores to decisions: thresholds, predictions, p-values, drift."""

import abc
import logging
from typing import Any, final

import numpy as np

from aegmm_detect.calibration import Calibration
from aegmm_detect.detector import threshold_methods
from aegmm_detect.detector.decisions import Decisions
from aegmm_detect.detector.held_out import check_held_out, chosen_rows
from aegmm_detect.detector.threshold_methods import DEFAULT_PERCENTAGE
from aegmm_detect.drift import DriftReport, drift_report
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.inputs import as_rows
from aegmm_detect.numerics.thresholds import rows_needed
from aegmm_detect.prediction import prediction
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE
from aegmm_detect.types import BoolArray, FloatArray

logger = logging.getLogger(__name__)

# The usual significance level. `calibrate` warns if it has too few rows to reach it.
_USUAL_LEVEL = 0.05


class Decides(abc.ABC):
    """Thresholds, predictions, calibration and drift; subclasses compute the scores.

    Parameters
    ----------
    threshold
        Score above which a row is an outlier; None to infer it later.
    """

    def __init__(self, threshold: float | None) -> None:
        self._held = Decisions(type(self).__name__, threshold)

    @property
    @abc.abstractmethod
    def meta(self) -> dict[str, Any]:
        """Name, type, data type and version."""

    @abc.abstractmethod
    def score(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> FloatArray:
        """Anomaly scores of the rows of `X`."""

    @abc.abstractmethod
    def _require_fitted(self, method: str) -> None: ...

    @property
    @abc.abstractmethod
    def _trained_on(self) -> RowSketch | None:
        """Sketch of the training rows; None if they are not known."""

    def _feature_scores(self, X: Any) -> FloatArray:
        """Share of each feature in its row's strangeness, in the shape of `X`."""
        raise ConfigurationError(
            f"{type(self).__name__} does not say which features make a row strange: leave "
            "return_feature_score out."
        )

    def _decisions(self) -> Decisions:
        """Threshold and calibration.

        Override this if scores can change without a call to this object.
        """
        return self._held

    @property
    def threshold(self) -> float | None:
        """Score above which a row is an outlier. If you assign one, every `fit` keeps it."""
        return self._decisions().threshold

    @threshold.setter
    def threshold(self, value: float | None) -> None:
        self._held.threshold = value

    @property
    def threshold_inferred(self) -> bool:
        """Whether the threshold was inferred; if so, the next `fit` or `update` clears it."""
        return self._decisions().inferred

    @property
    def calibration(self) -> Calibration | None:
        """Result of `calibrate`; None before it, and after the scores have changed."""
        return self._decisions().calibration

    @final
    def infer_threshold(
        self,
        X: Any,
        threshold_perc: float = DEFAULT_PERCENTAGE,
        batch_size: int = DEFAULT_BATCH_SIZE,
        *,
        method: str = "percentile",
        y: Any = None,
        fpr: float | None = None,
        contamination: float | None = None,
        beta: float | None = None,
        k: float | None = None,
        check_trained: bool = True,
    ) -> float:
        """Set the threshold from the scores of `X`.

        Parameters
        ----------
        X
            Rows that `fit` has not seen, as for `score`; the method says which kind. Rows with NaN,
            if allowed, are ignored.
        threshold_perc
            For 'percentile': percentage of `X` to be considered normal, from 0 to 100: 95, not
            0.95.
        batch_size
            As for `score`.
        method
            Name of the method. The page on thresholds explains when to use which, and what each
            assumes.

            - 'percentile' (default): `X` is a mixed batch of normal instances and about
              ``100 - threshold_perc`` % outliers.
            - 'contamination': a mixed batch with a share `contamination` of outliers.
            - 'fpr': `X` holds inliers; a new one is above the threshold at a rate of at most `fpr`.
            - 'pot': the same for lower rates; it fits a generalised Pareto distribution to the
              highest scores.
            - 'mad': a mixed batch; median + `k` (default 3.5) robust standard deviations.
            - 'fbeta', 'youden': labelled rows of both kinds; the threshold with the best F-beta
              (`beta` defaults to 1), or with the best recall minus false-positive rate.
            - 'inliers': as 'fpr', with the rows that `y` labels as inliers.
            - 'pu': a mixed batch in which some inliers are labelled, but no outliers.
        y
            Labels (N,): 0 inlier, 1 outlier, -1 unlabelled.
        fpr, contamination
            Rate or share, between 0 and 1.
        beta, k
            Positive numbers.
        check_trained
            For 'fpr', 'pot' and 'inliers', whose rates hold for new rows only: whether to look for
            inliers that `fit` has seen, and warn. Pass False for data that repeat by nature.

        Returns
        -------
        The threshold. It is also kept in `threshold` until the scores change, because of `fit`,
        `update` or another `score_type`.

        Raises
        ------
        ConfigurationError
            The method is unknown, or an argument is out of range, missing, or not used by the
            method.
        InvalidInputError
            As for `score`; or the labels are wrong, or there are no or too few usable rows.
        NotFittedError
            As for `score`.
        """
        self._require_fitted("infer_threshold")
        # Check the arguments first, because scoring can take long.
        inference = threshold_methods.choose(
            method,
            threshold_perc,
            check_trained=check_trained,
            y=y,
            fpr=fpr,
            contamination=contamination,
            beta=beta,
            k=k,
        )
        threshold = inference.threshold(self.score(X, batch_size))
        if check_trained and inference.method.held_out:
            consequence = "more inliers will be above the threshold"
            self._check_held_out(X, batch_size, consequence, only=inference.inliers)
        self._decisions().keep_inferred(threshold)
        return threshold

    # Override this only to add arguments.
    def predict(
        self,
        X: Any,
        batch_size: int = DEFAULT_BATCH_SIZE,
        return_instance_score: bool = True,
        *,
        return_feature_score: bool = False,
        return_p_value: bool = False,
        fdr: float | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Score rows and say which are outliers.

        Parameters
        ----------
        X
            As for `score`.
        batch_size
            As for `score`.
        return_instance_score
            Whether to also return the scores.
        return_feature_score
            Whether to also return each feature's share in its row's strangeness.
        return_p_value
            Whether to also return conformal p-values; call `calibrate` first.
        fdr
            False-discovery rate. All rows of `X` are decided together, so that on average at most
            this share of the reported outliers are inliers. Call `calibrate` first; the threshold
            is not used. Default None: decide by the threshold.

        Returns
        -------
        ``{'data': {'instance_score', 'feature_score', 'is_outlier'}, 'meta': ...}``:
        `instance_score` float32 (N,) or None; `feature_score` float32 in the shape of `X`, or
        None; `is_outlier` int64 (N,), 1 where the score is above the threshold (with `fdr`: where
        the batch says so) or NaN; `meta` a copy of the detector's. If asked for, 'p_value' comes
        before 'is_outlier': float64 (N,), the smallest possible for NaN.

        Raises
        ------
        ThresholdNotInferredError
            No threshold is set, and `fdr` is not given.
        NotCalibratedError
            `return_p_value` or `fdr` is given before `calibrate`.
        ConfigurationError
            `fdr` is not between 0 and 1, or the detector has no feature scores.
        NotFittedError, InvalidInputError
            As for `score`.
        """
        self._require_fitted("predict")
        decisions = self._decisions()
        decide = decisions.rule(fdr)
        calibration = decisions.required_calibration() if return_p_value else None
        scores = self.score(X, batch_size)
        return prediction(
            scores if return_instance_score else None,
            decide(scores),
            dict(self.meta),
            feature_score=self._feature_scores(X) if return_feature_score else None,
            p_value=None if calibration is None else calibration.p_values(scores),
        )

    @final
    def calibrate(
        self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE, *, check_trained: bool = True
    ) -> Calibration:
        """Calibrate on held-out inliers, so that `predict` can return p-values and use `fdr`.

        Parameters
        ----------
        X
            Inliers that `fit` has not seen, as for `score`. Training rows score lower than new
            ones, and would make p-values too small. Rows with NaN, if allowed, are ignored.
        batch_size
            As for `score`.
        check_trained
            Whether to look for rows of `X` that `fit` has seen. Pass False for data that repeat by
            nature. Rows are compared with a sample of up to 65,536 hashes of training rows.

        Returns
        -------
        The calibration. It is also kept in `calibration` until the scores change.

        Raises
        ------
        InvalidInputError
            `fit` has seen all rows of `X` (if it has seen some, a warning is logged), or no rows
            are usable; or as for `score`.
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
        self._decisions().calibration = calibration
        return calibration

    @final
    def drift_report(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> DriftReport:
        """Compare the scores of recent rows with those of calibration.

        Parameters
        ----------
        X
            Recent rows, as for `score`, including any outliers.
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
            As for `score`; or no rows are usable.
        """
        self._require_fitted("drift_report")
        calibration = self._decisions().required_calibration("a drift report")
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
        trained_on = self._trained_on
        if trained_on is not None:
            batches = as_rows(X).batches(int(batch_size))
            if only is not None:
                batches = chosen_rows(batches, only)
            check_held_out(batches, trained_on, consequence, refuse_all=refuse_all)
