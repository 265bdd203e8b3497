"""The contract that every detector keeps: score, threshold, predict."""

import abc
import logging
from typing import Any, final

import numpy as np

from aegmm_detect.configs.aegmm import NanPolicy
from aegmm_detect.exceptions import (
    ConfigurationError,
    InvalidInputError,
    NotFittedError,
    ThresholdNotInferredError,
)
from aegmm_detect.numerics import thresholds
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE, score_rows
from aegmm_detect.types import FloatArray
from aegmm_detect.version import __version__

logger = logging.getLogger(__name__)


class Detector(abc.ABC):
    """Score rows, higher is stranger; call those above a threshold outliers.

    Subclasses write `fit`, which ends in `_mark_fitted`, and `_score_batch`.

    Parameters
    ----------
    threshold
        Score above which a row is an outlier; None to infer it later.
    data_type
        'tabular', 'image', ...: kept in `meta` and never interpreted.
    nan_policy
        Rows with NaN or infinity: 'raise' refuses them by row number; 'flag' scores them NaN and
        calls them outliers. They are never inliers.
    """

    def __init__(
        self, threshold: float | None, data_type: str | None, nan_policy: NanPolicy
    ) -> None:
        self._data_type = data_type
        self._nan_policy = nan_policy
        self._fitted = False
        self._row_shape: tuple[int, ...] | None = None
        self._names: tuple[str, ...] | None = None
        self._inferred = False
        self._threshold: float | None = None
        self.threshold = threshold
        if threshold is None:
            logger.warning(
                "No threshold is set. Call %s.infer_threshold(X) after fit, or pass threshold=.",
                type(self).__name__,
            )

    def __repr__(self) -> str:
        state = "fitted" if self._fitted else "not fitted"
        return f"{type(self).__name__}(threshold={self.threshold}, {state})"

    @property
    def meta(self) -> dict[str, Any]:
        """Name, type, data type, version: a fresh dictionary each time, the caller's to change."""
        return {
            "name": type(self).__name__,
            "detector_type": "outlier",
            "data_type": self._data_type,
            "online": False,
            "version": __version__,
        }

    @property
    def threshold(self) -> float | None:
        """Score above which a row is an outlier. Assigning one keeps it through every `fit`."""
        return self._threshold

    @threshold.setter
    def threshold(self, value: float | None) -> None:
        try:
            number = None if value is None else float(value)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"threshold={value!r} is not a number. Pass one, or leave it out and call "
                f"{type(self).__name__}.infer_threshold(X) after fit."
            ) from error
        if number is not None and np.isnan(number):
            raise ConfigurationError("threshold is NaN: no score is above NaN.")
        self._threshold, self._inferred = number, False

    @property
    def fitted(self) -> bool:
        """Whether `fit` has ended well."""
        return self._fitted

    @final
    def score(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> FloatArray:
        """Anomaly scores of the rows of `X`.

        Parameters
        ----------
        X
            Instances, shape (N, ...), with the feature shape seen by `fit`: an array, a data
            frame, a tensor, or a stream of batches. N may be 0.
        batch_size
            Rows per pass over arrays: memory only, scores do not depend on it.

        Returns
        -------
        Scores, shape (N,), float32. For the mixture detectors: the energy, or the bounded mean of
        several (see the page on concepts), in nats; it can be negative.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            Other columns or shapes than at `fit`; rows with NaN or infinity unless
            ``nan_policy='flag'``.
        """
        self._require_fitted("score")
        return score_rows(
            X, self._score_batch, self._row_shape or (), self._names, self._nan_policy, batch_size
        )

    @final
    def infer_threshold(
        self, X: Any, threshold_perc: float = 95.0, batch_size: int = DEFAULT_BATCH_SIZE
    ) -> float:
        """Set the threshold to a percentile of the scores of `X`.

        Parameters
        ----------
        X
            A mixed batch, of normal instances and about ``100 - threshold_perc`` % outliers; as
            for `score`. Rows with NaN, where allowed, do not count.
        threshold_perc
            Percentage of `X` to be considered normal, from 0 to 100: 95, not 0.95.
        batch_size
            As for `score`.

        Returns
        -------
        The threshold, which is also kept in `threshold` until the next `fit`.

        Raises
        ------
        ConfigurationError
            `threshold_perc` is no number from 0 to 100.
        NotFittedError, InvalidInputError
            As for `score`; no usable rows.
        """
        self._require_fitted("infer_threshold")
        # Before the work of scoring.
        percentage = thresholds.check_percentage(threshold_perc)
        if 0.0 < percentage < 1.0:
            logger.warning(
                "threshold_perc=%g is a percentage: %g %% of X will count as normal. If you mean "
                "a share, pass threshold_perc=%g.",
                percentage,
                percentage,
                100.0 * percentage,
            )
        scores = self.score(X, batch_size)
        scores = scores[~np.isnan(scores)]
        if not len(scores):
            raise InvalidInputError("X holds no usable rows to infer a threshold from.")
        threshold = thresholds.percentile(scores, percentage)
        self._threshold, self._inferred = threshold, True
        return threshold

    @final
    def predict(
        self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE, return_instance_score: bool = True
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

        Returns
        -------
        ``{'data': {'instance_score', 'feature_score', 'is_outlier'}, 'meta': ...}``:
        `instance_score` float32 (N,) or None; `feature_score` None; `is_outlier` int64 (N,), 1
        where the score is above the threshold or NaN; `meta` a copy of the detector's.

        Raises
        ------
        ThresholdNotInferredError
            If no threshold is set.
        NotFittedError, InvalidInputError
            As for `score`.
        """
        self._require_fitted("predict")
        if self.threshold is None:
            name = type(self).__name__
            raise ThresholdNotInferredError(
                f"{name} has no threshold to decide by. Call {name}.infer_threshold(X) on a mixed "
                "batch, or set .threshold; score(X) needs none."
            )
        scores = self.score(X, batch_size)
        # Not `scores > threshold`, which calls NaN an inlier; equal for every number.
        is_outlier = ~(scores <= self.threshold)
        data = {
            "instance_score": scores if return_instance_score else None,
            "feature_score": None,
            "is_outlier": is_outlier.astype(np.int64),
        }
        return {"data": data, "meta": self.meta}

    @abc.abstractmethod
    def _score_batch(self, batch: FloatArray) -> FloatArray:
        """Scores (N,) float32 of checked rows (N, ...); NaN for rows that are not finite."""

    def _require_fitted(self, method: str) -> None:
        if not self._fitted:
            name = type(self).__name__
            raise NotFittedError(
                f"{name}.{method}() needs a fitted detector: call {name}.fit(X) first."
            )

    def _forget_fit(self) -> None:
        """To be called when training starts to change weights."""
        self._fitted = False
        self._forget_decisions("the former fit")

    def _forget_decisions(self, made_for: str) -> None:
        """Clear what was inferred from scores that are no longer these."""
        if self._inferred:
            logger.warning(
                "The threshold %.6g was inferred for %s and is cleared: call infer_threshold "
                "again.",
                self._threshold,
                made_for,
            )
            self._threshold, self._inferred = None, False

    def _mark_fitted(self, names: tuple[str, ...] | None, row_shape: tuple[int, ...]) -> None:
        self._names, self._row_shape, self._fitted = names, row_shape, True
