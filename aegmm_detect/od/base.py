"""The contract that every detector keeps: score, threshold, predict."""

import abc
import logging
from collections.abc import Iterator
from typing import Any, ClassVar

from aegmm_detect.configs.aegmm import DetectorConfig, NanPolicy
from aegmm_detect.exceptions import ConfigurationError, NotFittedError
from aegmm_detect.inputs import Rows
from aegmm_detect.od.decisions import Decisions
from aegmm_detect.od.meta import Meta
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.scoring_loop import (
    DEFAULT_BATCH_SIZE,
    checked_batches,
    refuse_flagged,
    score_rows,
)
from aegmm_detect.types import BoolArray, FloatArray
from aegmm_detect.version import __version__

logger = logging.getLogger(__name__)


class Detector(Decisions):
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

    # What checks its settings, where it has any.
    CONFIG: ClassVar[type[DetectorConfig] | None] = None
    # Whether a fit has changed weights, even if it did not end.
    _begun: bool = False

    def __init__(
        self, threshold: float | None, data_type: str | None, nan_policy: NanPolicy
    ) -> None:
        super().__init__(threshold)
        self._data_type = data_type
        self._nan_policy = nan_policy
        self._fitted = False
        self._row_shape: tuple[int, ...] | None = None
        self._names: tuple[str, ...] | None = None
        if threshold is None:
            logger.warning(
                "No threshold is set. Call %s.infer_threshold(X) after fit, or pass threshold=.",
                type(self).__name__,
            )

    def __setattr__(self, name: str, value: Any) -> None:
        # Or `detector.nan_policy = "flag"` would do nothing, silently.
        settings = () if self.CONFIG is None else self.CONFIG.model_fields
        if (name in settings and not hasattr(type(self), name)) or (
            name == "config" and hasattr(self, name)
        ):
            raise ConfigurationError(
                f"{name} is set when the detector is made: pass its values then. detector.config "
                "shows them."
            )
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        state = "fitted" if self._fitted else "not fitted"
        return f"{type(self).__name__}(threshold={self.threshold}, {state})"

    @property
    def meta(self) -> dict[str, Any]:
        """Name, type, data type and version.

        The data type can be set, ``meta["data_type"] = "image"``, and is saved with the detector.
        `predict` returns a plain copy, which is the caller's to change.
        """
        entries = {
            "name": type(self).__name__,
            "detector_type": "outlier",
            "data_type": self._data_type,
            "online": False,
            "version": __version__,
        }
        return Meta(entries, self._keep_data_type)

    def _keep_data_type(self, data_type: str | None) -> None:
        config = getattr(self, "config", None)
        if config is not None:
            # Past the guard against what changes nothing: this does, and is saved.
            object.__setattr__(self, "config", config.replace(data_type=data_type))
        self._data_type = data_type

    @property
    def fitted(self) -> bool:
        """Whether `fit` has ended well."""
        return self._fitted

    # Overridden only to take further arguments.
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

    def _batches(self, rows: Rows, batch_size: Any) -> Iterator[FloatArray]:
        """Checked batches (N, ...), none of them empty."""
        return checked_batches(rows, self._row_shape or (), batch_size)

    def _refuse_non_finite(self, bad: BoolArray, rows: Rows) -> None:
        """Raise if there are `bad` (N,) rows and the policy is to refuse them."""
        if self._nan_policy == "raise":
            refuse_flagged(bad, rows)

    @abc.abstractmethod
    def _score_batch(self, batch: FloatArray) -> FloatArray:
        """Scores (N,) float32 of checked rows (N, ...); NaN for rows that are not finite."""

    def _require_fitted(self, method: str) -> None:
        self._require_fit_for(f"{method}()")

    def _require_fit_for(self, what: str) -> None:
        """Raise unless there is a fit; `what` is the attribute or the call that needs one."""
        if self._fitted:
            return
        name = type(self).__name__
        if self._begun:
            raise NotFittedError(
                f"{name} is not fitted: its last fit was interrupted or failed. Call "
                f"{name}.fit(X) again."
            )
        raise NotFittedError(f"{name}.{what} needs a fitted detector: call {name}.fit(X) first.")

    def _forget_fit(self) -> None:
        """To be called when training starts to change weights."""
        self._fitted, self._begun = False, True
        self._forget_decisions("the former fit")

    def _mark_fitted(
        self,
        names: tuple[str, ...] | None,
        row_shape: tuple[int, ...],
        trained_on: RowSketch | None = None,
    ) -> None:
        self._names, self._row_shape, self._trained_on = names, row_shape, trained_on
        self._fitted = True
