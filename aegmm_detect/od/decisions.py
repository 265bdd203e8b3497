"""How scores become decisions: thresholds, p-values, false-discovery rates."""

import abc
import functools
import logging
from collections.abc import Callable
from typing import Any, final

import numpy as np

from aegmm_detect.argument_checks import check_share, check_threshold
from aegmm_detect.decision import is_outlier
from aegmm_detect.exceptions import (
    ConfigurationError,
    ThresholdNotInferredError,
)
from aegmm_detect.od import threshold_methods
from aegmm_detect.od.calibrating import Calibrating
from aegmm_detect.od.threshold_methods import DEFAULT_PERCENTAGE
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE
from aegmm_detect.types import Array, FloatArray

logger = logging.getLogger(__name__)


class Decisions(Calibrating):
    """The half of a detector that decides; it needs nothing of the other half but scores.

    Parameters
    ----------
    threshold
        Score above which a row is an outlier; None to infer it later.
    """

    def __init__(self, threshold: float | None) -> None:
        super().__init__()
        self._threshold: float | None = None
        self._inferred = False
        self.threshold = threshold

    @property
    @abc.abstractmethod
    def meta(self) -> dict[str, Any]:
        """Name, type, data type, version."""

    def _feature_scores(self, X: Any) -> FloatArray:
        """Shares of features in the strangeness of their rows, in the shape of `X`."""
        raise ConfigurationError(
            f"{type(self).__name__} does not say which features make a row strange: leave "
            "return_feature_score out."
        )

    @property
    def threshold(self) -> float | None:
        """Score above which a row is an outlier. Assigning one keeps it through every `fit`."""
        self._refresh()
        return self._threshold

    @threshold.setter
    def threshold(self, value: float | None) -> None:
        self._threshold = None if value is None else check_threshold(value)
        self._inferred = False

    @property
    def threshold_inferred(self) -> bool:
        """Whether `infer_threshold` has set the threshold: the next `fit` or `update` clears it."""
        self._refresh()
        return self._inferred

    def _keep_inferred(self, threshold: float) -> None:
        """Decide by a threshold until the scores change that it was learned from."""
        self._refresh()
        self._threshold, self._inferred = threshold, True

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
            Rows that were not trained on, as for `score`; which ones is up to the method. Rows with
            NaN, where allowed, do not count.
        threshold_perc
            Of 'percentile': percentage of `X` to be considered normal, from 0 to 100: 95, not 0.95.
        batch_size
            As for `score`.
        method
            How; the page on thresholds says when to take which, and what each assumes.

            - 'percentile' (default): `X` is a mixed batch of normal instances and about
              ``100 - threshold_perc`` % outliers.
            - 'contamination': a mixed batch with a share `contamination` of outliers.
            - 'fpr': `X` holds inliers; a new one is above the threshold at a rate of at most `fpr`.
            - 'pot': the same for lower rates, by a fit of the tail (generalised Pareto).
            - 'mad': a mixed batch; median + `k` (default 3.5) robust standard deviations.
            - 'fbeta', 'youden': labelled rows of both kinds; best F-beta (`beta` defaults to 1),
              or best recall minus false-positive rate.
            - 'inliers': as 'fpr', from those rows that `y` labels as inliers.
            - 'pu': a mixed batch in which some inliers are labelled, and no outlier.
        y
            Labels (N,): 0 inlier, 1 outlier, -1 unlabelled.
        fpr, contamination
            Rate or share, between 0 and 1.
        beta, k
            Positive.
        check_trained
            Of 'fpr', 'pot' and 'inliers', whose rates hold for new rows: whether to look for
            inliers that `fit` has seen, and warn. False for data that repeat by nature.

        Returns
        -------
        The threshold, which is also kept in `threshold` until the scores change: by `fit`,
        `update` or another `score_type`.

        Raises
        ------
        ConfigurationError
            An unknown method; an argument out of range, missing, or of no use to the method.
        InvalidInputError
            As for `score`; labels that do not fit; no usable rows, or too few for what is asked.
        NotFittedError
            As for `score`.
        """
        self._require_fitted("infer_threshold")
        # Before the work of scoring.
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
        self._keep_inferred(threshold)
        return threshold

    # Overridden only to take further arguments.
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
            Whether to return the scores, too.
        return_feature_score
            Whether to return each feature's share in the strangeness of its row, too.
        return_p_value
            Whether to return conformal p-values, too, which needs `calibrate`.
        fdr
            False-discovery rate: decide over all rows of `X` at once, so that on average at most
            this share of those called outliers are inliers. Needs `calibrate`; the threshold, if
            there is any, has no part in it. Default None: decide by the threshold.

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
            If no threshold is set, and `fdr` is not given.
        NotCalibratedError
            If p-values or `fdr` are asked for before `calibrate`.
        ConfigurationError
            If `fdr` is not between 0 and 1; feature scores of a detector that has none.
        NotFittedError, InvalidInputError
            As for `score`.
        """
        self._require_fitted("predict")
        decide = self._decision(fdr)
        calibration = self._required_calibration() if return_p_value else None
        scores = self.score(X, batch_size)
        data: dict[str, Any] = {
            "instance_score": scores if return_instance_score else None,
            "feature_score": self._feature_scores(X) if return_feature_score else None,
        }
        if calibration is not None:
            data["p_value"] = calibration.p_values(scores)
        data["is_outlier"] = decide(scores).astype(np.int64)
        return {"data": data, "meta": dict(self.meta)}

    def _decision(self, fdr: float | None) -> Callable[[FloatArray], Array]:
        """Scores -> which rows are outliers."""
        if fdr is not None:
            share = check_share(fdr, "fdr")
            return functools.partial(self._required_calibration().discoveries, fdr=share)
        threshold = self.threshold
        if threshold is None:
            name = type(self).__name__
            raise ThresholdNotInferredError(
                f"{name} has no threshold to decide by. Call {name}.infer_threshold(X) on a mixed "
                "batch, or set .threshold; score(X) needs none."
            )
        return functools.partial(is_outlier, threshold=threshold)

    def _forget_decisions(self, made_for: str) -> None:
        """Clear what was learned from scores that are no longer these.

        Parameters
        ----------
        made_for
            Where those scores came from, for the log: "the former fit".
        """
        if self._inferred:
            logger.warning(
                "The threshold %.6g was inferred for %s and is cleared: call infer_threshold "
                "again.",
                self._threshold,
                made_for,
            )
            self._threshold, self._inferred = None, False
        if self._calibration is not None:
            logger.warning(
                "The calibration on %d rows was made for %s and is cleared: call calibrate again.",
                self._calibration.n,
                made_for,
            )
            self._calibration = None
