"""The base class of all detectors: fit, score, threshold, predict."""

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
    """Result of a fit: all that scoring needs. A new fit replaces it; nothing changes it."""

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row at `fit`."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Column names at `fit`, if the rows came in a data frame; else None."""

    @property
    def trained_on(self) -> RowSketch | None:
        """Sketch of the training rows; None if they are not known."""

    def score(self, batch: FloatArray) -> FloatArray:
        """Scores (N,) float32 of checked rows (N, ...); NaN for rows that are not finite."""


class OfLearned:
    """Row shape, column names and training rows of a fit, for classes that hold them in `learned`.

    With a `score` method besides, such a class is a `Fitted`.
    """

    learned: Any

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row at `fit`."""
        return self.learned.row_shape

    @property
    def names(self) -> tuple[str, ...] | None:
        """Column names at `fit`, if the rows came in a data frame; else None."""
        return self.learned.names

    @property
    def trained_on(self) -> RowSketch | None:
        """Sketch of the training rows; None if they are not known."""
        return self.learned.trained_on


class Detector(Decides):
    """Base class of all detectors. It scores rows; rows above a threshold are outliers.

    A higher score means a stranger row. Subclasses write `fit`: call `_forget_fit` before weights
    change and `_adopt` after success.

    Parameters
    ----------
    config
        Settings of the detector. With ``nan_policy='raise'``, rows with NaN or infinity raise an
        error that gives their row numbers. With 'flag', they score NaN and are outliers. They are
        never inliers.
    threshold
        Score above which a row is an outlier; None to infer it later.
    """

    # Class that checks the settings.
    CONFIG: ClassVar[type[RowsConfig]] = RowsConfig

    config: RowsConfig

    def __init__(self, config: RowsConfig, threshold: float | None) -> None:
        super().__init__(threshold)
        self.config = config
        self._fitted: Fitted | None = None
        self._interrupted = False  # whether a fit has changed weights but did not finish
        self._trained_before: RowSketch | None = None  # training rows of the fit before that one
        if threshold is None:
            logger.warning(
                "No threshold is set. Call %s.infer_threshold(X) after fit, or pass threshold=.",
                type(self).__name__,
            )

    def __setattr__(self, name: str, value: Any) -> None:
        # Without this check, `detector.nan_policy = "flag"` would silently do nothing.
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
        # A shallow copy would share its nets, and training it would change the original's scores.
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        state = "fitted" if self.fitted else "not fitted"
        return f"{type(self).__name__}(threshold={self.threshold}, {state})"

    @abc.abstractmethod
    def fit(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        """Learn from normal rows `X` (N, ...)."""

    @property
    def meta(self) -> dict[str, Any]:
        """Name, type, data type and version.

        You can set the data type, ``meta["data_type"] = "image"``; it is saved with the detector.
        `predict` returns a plain copy, which you may change.
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
        """Change settings, bypassing the check in `__setattr__`."""
        object.__setattr__(self, "config", self.config.replace(**changes))

    @property
    def fitted(self) -> bool:
        """Whether the last `fit` succeeded."""
        return self._fitted is not None

    # Override this only to add arguments.
    def score(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> FloatArray:
        """Anomaly scores of the rows of `X`.

        Parameters
        ----------
        X
            Instances, shape (N, ...), with the feature shape seen by `fit`: an array, a data
            frame, a tensor, or a stream of batches. N may be 0.
        batch_size
            Rows per pass over an array. It affects memory only, not the scores.

        Returns
        -------
        Scores, shape (N,), float32. Mixture detectors return the energy in nats, or the bounded
        mean of several energies (see the page on concepts). It can be negative.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            Columns or shapes differ from those at `fit`, or rows hold NaN or infinity and
            ``nan_policy`` is not 'flag'.
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
        """Return all parts of the detector for saving, except threshold and calibration.

        Raises
        ------
        ArtefactError
            This detector cannot be saved.
        """
        raise ArtefactError(
            f"A {type(self).__name__} cannot be saved: it has no to_parts. It can be pickled."
        )

    @classmethod
    def from_parts(
        cls, parts: Parts, threshold: float | None, custom_objects: Mapping[str, Any]
    ) -> Self:
        """Make a detector from saved parts: the inverse of `to_parts`. All `parts` are checked.

        Parameters
        ----------
        parts
            Parts as read from a file; they may be damaged or hostile.
        threshold
            Threshold of the detector.
        custom_objects
            The user's own functions and classes, by name.

        Raises
        ------
        ArtefactError
            The parts are not those of such a detector.
        """
        raise ArtefactError(f"A {cls.__name__} cannot be loaded: it has no from_parts.")

    def typical_rows(self, n_rows: int) -> FloatArray:
        """Made-up rows in the range of the training rows, float64. Every call returns the same."""
        fitted = self._required_fit("typical_rows()")
        return np.random.default_rng(0).normal(size=(n_rows, *fitted.row_shape))

    def fit_scores(self, rows: FloatArray) -> FloatArray:
        """Scores of checked rows, computed with the state that would be saved now."""
        return self._required_fit("fit_scores()").score(rows)

    def restore_decisions(self, inferred: bool, calibration: Calibration | None) -> None:
        """Restore the saved calibration, and whether the threshold was inferred, after loading."""
        if inferred:
            self._held.keep_inferred(self._held.threshold)
        self._held.calibration = calibration

    def _required_fit(self, what: str) -> Any:
        """Return the result of the fit, or raise `NotFittedError` about `what`, a call or name."""
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
        """Mark the detector as not fitted. Call this before training changes weights."""
        self._trained_before = self._trained_on
        self._fitted, self._interrupted = None, True
        self._held.forget("the former fit")

    def _adopt(self, fitted: Fitted) -> None:
        """Use `fitted` for scores from now on."""
        self._fitted, self._interrupted = fitted, False
