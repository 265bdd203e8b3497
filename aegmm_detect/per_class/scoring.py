"""Scores of rows by the detectors of several classes: each by all, by its own, by the nearest."""

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np

from aegmm_detect.configs.aegmm import DetectorConfig, ScoreType
from aegmm_detect.detector.base import Detector
from aegmm_detect.detector.decisions import Decisions
from aegmm_detect.exceptions import NotFittedError
from aegmm_detect.input_checks import check_label_count
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.per_class.fitted import FittedClasses
from aegmm_detect.per_class.labels import as_labels, class_numbers
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE, score_rows
from aegmm_detect.types import FloatArray, IntArray


class ClassScoring(Detector):
    """Detectors that hold one for each class."""

    CONFIG: ClassVar[type[DetectorConfig]] = DetectorConfig

    config: DetectorConfig
    _fitted: FittedClasses | None
    # The members' fits when what was decided on their scores was last looked at.
    _decided_on: tuple[object, ...] = ()

    @property
    def members(self) -> dict[Hashable, MixtureDetector]:
        """The detector of each class, by label; none before `fit`.

        Their thresholds are the classes' own. A new dictionary each time, of the same detectors.
        """
        return {} if self._fitted is None else dict(self._fitted.members)

    @property
    def classes_(self) -> tuple[Hashable, ...]:
        """Labels, in order; the columns of `class_scores`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        return tuple(self._required_fit("classes_").members)

    @property
    def score_type(self) -> ScoreType:
        """What the scores of the classes are made of; set when their detectors are made."""
        first = next(iter(self.members.values()), None)
        return self.config.score_type if first is None else first.score_type

    @property
    def names(self) -> tuple[str, ...] | None:
        """Of the columns that `fit` saw; None before, or where rows came without."""
        return None if self._fitted is None else self._fitted.names

    def score(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE, *, y: Any = None) -> FloatArray:
        """Anomaly scores of the rows of `X`.

        Parameters
        ----------
        X, batch_size
            As for `OutlierAEGMM.score`.
        y
            Class labels (N,), for scores by the rows' own classes. Default None: by the class to
            which each row is least strange.

        Returns
        -------
        Scores (N,), float32. Without `y`: the minimum over classes, in interquartile ranges of the
        class's training scores above their median. With `y`: as the class's detector gives them.

        Raises
        ------
        NotFittedError
            Before `fit`.
        InvalidInputError
            As for `OutlierAEGMM.score`; labels that do not fit, or of a class that `fit` has not
            seen.
        """
        self._require_fitted("score")
        if y is None:
            return super().score(X, batch_size)
        return self._own_scores(X, class_numbers(as_labels(y), self.classes_), batch_size)

    def class_scores(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> FloatArray:
        """Scores of all rows by the detectors of all classes.

        Parameters
        ----------
        X, batch_size
            As for `score`.

        Returns
        -------
        Scores (N, C), float32; columns are in the order of `classes_`.

        Raises
        ------
        NotFittedError, InvalidInputError
            As for `score`.
        """
        fitted = self._required_fit("class_scores()")
        return self._scores(X, fitted.of_all, batch_size).reshape(-1, len(fitted.members))

    def _own_scores(self, X: Any, numbers: IntArray, batch_size: int) -> FloatArray:
        """Scores by the class of which `numbers` (N,) has the number."""
        fitted = self._required_fit("score()")
        first = 0

        def score_batch(batch: FloatArray) -> FloatArray:
            nonlocal first
            own = numbers[first : first + len(batch)]
            first += len(batch)
            return fitted.of_own(batch, own)

        scores = self._scores(X, score_batch, batch_size)
        check_label_count(numbers, len(scores))
        return scores

    def _scores(
        self, X: Any, score_batch: Callable[[FloatArray], FloatArray], batch_size: int
    ) -> FloatArray:
        fitted, policy = self._required_fit("score()"), self.config.nan_policy
        return score_rows(X, score_batch, fitted.row_shape, fitted.names, policy, batch_size)

    def _feature_scores(self, X: Any) -> FloatArray:
        return self._shares(X, None)

    def _shares(self, X: Any, numbers: IntArray | None) -> FloatArray:
        """By the class of that number, or else by the one to which a row is least strange."""
        if numbers is None:
            fitted = self._required_fit("explain()")
            numbers = fitted.on_one_scale(self.class_scores(X)).argmin(axis=1)
        per_class = [member.explain(X).shares for member in self.members.values()]
        shares = np.empty_like(per_class[0])
        for number, own in enumerate(per_class):
            shares[numbers == number] = own[numbers == number]
        return shares

    def _required_fit(self, what: str) -> FittedClasses:
        if self._fitted is None:
            name = type(self).__name__
            raise NotFittedError(
                f"{name}.{what} needs a fitted detector: call {name}.fit(X, y) first, or fit(X) "
                "for a single class."
            )
        return self._fitted

    def _decisions(self) -> Decisions:
        # Members can be changed from outside: updated, fitted again, given another score_type.
        now = () if self._fitted is None else self._fitted.made_by
        before, self._decided_on = self._decided_on, now
        if len(now) != len(before) or any(a is not b for a, b in zip(before, now, strict=True)):
            self._held.forget("the classes' former scores")
        return self._held
