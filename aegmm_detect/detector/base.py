"""The contract that every detector keeps: fit, score, threshold, predict."""

import abc
import copy
import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from aegmm_detect.calibration import Calibration
from aegmm_detect.configs.rows import RowsConfig
from aegmm_detect.detector.deciding import Decides
from aegmm_detect.detector.meta import Meta
from aegmm_detect.detector.parts import Parts
from aegmm_detect.exceptions import ArtefactError, ConfigurationError, NotFittedError
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE, score_rows
from aegmm_detect.types import FloatArray
from aegmm_detect.version import __version__

logger = logging.getLogger(__name__)


class Fitted(Protocol):
    """What a fit leaves: all that scores need. It is replaced, and never changed."""

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of the rows that fit."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Of the columns, where rows came in a frame."""

    @property
    def trained_on(self) -> RowSketch | None:
        """Which rows it has seen; None where that is not known."""

    def score(self, batch: FloatArray) -> FloatArray:
        """Scores (N,) float32 of checked rows (N, ...); NaN for rows that are not finite."""


class OfLearned:
    """The half of `Fitted` that says of which rows, for classes that hold what was learned."""

    learned: Any

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of the rows that fit."""
        return self.learned.row_shape

    @property
    def names(self) -> tuple[str, ...] | None:
        """Of the columns, where rows came in a frame."""
        return self.learned.names

    @property
    def trained_on(self) -> RowSketch | None:
        """Which rows the fit has seen; None where that is not known."""
        return self.learned.trained_on


class Detector(Decides):
    """Score rows, higher is stranger; call those above a threshold outliers.

    Subclasses write `fit`, which begins with `_forget_fit` and ends in `_adopt`.

    Parameters
    ----------
    config
        Settings of the detector. ``nan_policy='raise'`` refuses rows with NaN or infinity by
        number; 'flag' scores them NaN and calls them outliers. They are never inliers.
    threshold
        Score above which a row is an outlier; None to infer it later.
    """

    # What checks its settings.
    CONFIG: ClassVar[type[RowsConfig]] = RowsConfig

    config: RowsConfig

    def __init__(self, config: RowsConfig, threshold: float | None) -> None:
        super().__init__(threshold)
        self.config = config
        self._fitted: Fitted | None = None
        self._interrupted = False  # whether a fit has changed weights, and did not end
        self._trained_before: RowSketch | None = None  # by that fit's predecessor
        if threshold is None:
            logger.warning(
                "No threshold is set. Call %s.infer_threshold(X) after fit, or pass threshold=.",
                type(self).__name__,
            )

    def __setattr__(self, name: str, value: Any) -> None:
        # Or `detector.nan_policy = "flag"` would do nothing, silently.
        settings = self.CONFIG.model_fields
        if (name in settings and not hasattr(type(self), name)) or (
            name == "config" and hasattr(self, name)
        ):
            raise ConfigurationError(
                f"{name} is set when the detector is made: pass its values then. detector.config "
                "shows them."
            )
        super().__setattr__(name, value)

    def __copy__(self) -> Self:
        # Training one of two that share their nets would change the scores of the other.
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        state = "fitted" if self.fitted else "not fitted"
        return f"{type(self).__name__}(threshold={self.threshold}, {state})"

    @abc.abstractmethod
    def fit(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        """Learn what rows are like, (N, ...)."""

    @property
    def meta(self) -> dict[str, Any]:
        """Name, type, data type and version.

        The data type can be set, ``meta["data_type"] = "image"``, and is saved with the detector.
        `predict` returns a plain copy, which is the caller's to change.
        """
        entries = {
            "name": type(self).__name__,
            "detector_type": "outlier",
            "data_type": self.config.data_type,
            "online": False,
            "version": __version__,
        }
        return Meta(entries, lambda data_type: self._reconfigure(data_type=data_type))

    def _reconfigure(self, **changes: Any) -> None:
        """Change settings past the guard against what would change nothing."""
        object.__setattr__(self, "config", self.config.replace(**changes))

    @property
    def fitted(self) -> bool:
        """Whether `fit` has ended well."""
        return self._fitted is not None

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
        fitted = self._required_fit("score()")
        policy = self.config.nan_policy
        return score_rows(X, fitted.score, fitted.row_shape, fitted.names, policy, batch_size)

    @property
    def _trained_on(self) -> RowSketch | None:
        return self._trained_before if self._fitted is None else self._fitted.trained_on

    def _require_fitted(self, method: str) -> None:
        self._required_fit(f"{method}()")

    def to_parts(self) -> Parts:
        """All of it but its decisions, for saving.

        Raises
        ------
        ArtefactError
            It cannot be saved.
        """
        raise ArtefactError(
            f"A {type(self).__name__} cannot be saved: it has no to_parts. It can be pickled."
        )

    @classmethod
    def from_parts(
        cls, parts: Parts, threshold: float | None, custom_objects: Mapping[str, Any]
    ) -> Self:
        """Inverse of `to_parts`; nothing that `parts` say is trusted.

        Parameters
        ----------
        parts
            As a file has them.
        threshold
            Of the detector.
        custom_objects
            Functions and classes of the user's, by name.

        Raises
        ------
        ArtefactError
            They make no such detector.
        """
        raise ArtefactError(f"A {cls.__name__} cannot be loaded: it has no from_parts.")

    def typical_rows(self, n_rows: int) -> FloatArray:
        """Made-up rows from where a fitted detector's rows lie, float64, the same every time."""
        fitted = self._required_fit("typical_rows()")
        return np.random.default_rng(0).normal(size=(n_rows, *fitted.row_shape))

    def fit_scores(self, rows: FloatArray) -> FloatArray:
        """Scores of checked rows by a fitted detector as it would be saved now."""
        return self._required_fit("fit_scores()").score(rows)

    def restore_decisions(self, inferred: bool, calibration: Calibration | None) -> None:
        """What had been decided, for a detector that was loaded with its threshold."""
        if inferred:
            self._held.keep_inferred(self._held.threshold)
        self._held.calibration = calibration

    def _required_fit(self, what: str) -> Any:
        """What the fit has left; `what` is the attribute or the call that needs it."""
        if self._fitted is not None:
            return self._fitted
        name = type(self).__name__
        if self._interrupted:
            raise NotFittedError(
                f"{name} is not fitted: its last fit was interrupted or failed. Call "
                f"{name}.fit(X) again."
            )
        raise NotFittedError(f"{name}.{what} needs a fitted detector: call {name}.fit(X) first.")

    def _forget_fit(self) -> None:
        """To be called when training starts to change weights."""
        self._trained_before = self._trained_on
        self._fitted, self._interrupted = None, True
        self._held.forget("the former fit")

    def _adopt(self, fitted: Fitted) -> None:
        """Score by `fitted` from now on."""
        self._fitted, self._interrupted = fitted, False
