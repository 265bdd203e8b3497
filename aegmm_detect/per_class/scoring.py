"""Scores of rows by the detectors of several classes: each by all, by its own, by the nearest."""

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np

from aegmm_detect.configs.aegmm import DetectorConfig, ScoreType
from aegmm_detect.exceptions import NotFittedError
from aegmm_detect.input_checks import check_label_count
from aegmm_detect.nets.scoring import BEYOND
from aegmm_detect.numerics.density import Scale
from aegmm_detect.od.base import Detector
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.od.state import FittedState
from aegmm_detect.per_class.labels import as_labels, class_numbers
from aegmm_detect.per_class.votes import on_one_scale
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE, score_rows
from aegmm_detect.types import FloatArray, IntArray


class ClassScoring(Detector):
    """Detectors that hold one for each class."""

    CONFIG: ClassVar[type[DetectorConfig]] = DetectorConfig

    config: DetectorConfig
    _members: dict[Hashable, MixtureDetector]
    # Of the members, when what was decided on their scores was last looked at.
    _states: tuple[tuple[FittedState | None, str], ...] = ()

    @property
    def members(self) -> dict[Hashable, MixtureDetector]:
        """The detector of each class, by label; none before `fit`.

        Their thresholds are the classes' own. A new dictionary each time, of the same detectors.
        """
        return dict(self._members)

    @property
    def classes_(self) -> tuple[Hashable, ...]:
        """Labels, in order; the columns of `class_scores`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        self._require_fitted("classes_")
        return tuple(self._members)

    @property
    def score_type(self) -> ScoreType:
        """What the scores of the classes are made of; set when their detectors are made."""
        first = next(iter(self._members.values()), None)
        return self.config.score_type if first is None else first.score_type

    @property
    def names(self) -> tuple[str, ...] | None:
        """Of the columns that `fit` saw; None before, or where rows came without."""
        return self._names

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
        self._require_fitted("class_scores")
        return self._scores(X, self._by_all, batch_size).reshape(-1, len(self._members))

    def _by_all(self, batch: FloatArray) -> FloatArray:
        return np.column_stack([m._score_batch(batch) for m in self._members.values()])

    def _score_batch(self, batch: FloatArray) -> FloatArray:
        scores = self._by_all(batch)
        return np.minimum(self._on_one_scale(scores).min(axis=1), BEYOND).astype(np.float32)

    def _on_one_scale(self, scores: FloatArray) -> FloatArray:
        scales = [_scale(member) for member in self._members.values()]
        return on_one_scale(scores, Scale(*(np.array(part) for part in zip(*scales, strict=True))))

    def _own_scores(self, X: Any, numbers: IntArray, batch_size: int) -> FloatArray:
        """Scores by the class of which `numbers` (N,) has the number."""
        first = 0

        def score_batch(batch: FloatArray) -> FloatArray:
            nonlocal first
            own = numbers[first : first + len(batch)]
            first += len(batch)
            scores = np.zeros(len(batch), dtype=np.float32)
            for number, member in enumerate(self._members.values()):
                chosen = np.flatnonzero(own == number)
                if len(chosen):
                    scores[chosen] = member._score_batch(batch[chosen])
            return scores

        scores = self._scores(X, score_batch, batch_size)
        check_label_count(numbers, len(scores))
        return scores

    def _scores(
        self, X: Any, score_batch: Callable[[FloatArray], FloatArray], batch_size: int
    ) -> FloatArray:
        policy = self.config.nan_policy
        return score_rows(X, score_batch, self._row_shape or (), self._names, policy, batch_size)

    def _feature_scores(self, X: Any) -> FloatArray:
        return self._shares(X, None)

    def _shares(self, X: Any, numbers: IntArray | None) -> FloatArray:
        """By the class of that number, or else by the one to which a row is least strange."""
        if numbers is None:
            numbers = self._on_one_scale(self.class_scores(X)).argmin(axis=1)
        per_class = [member._feature_scores(X) for member in self._members.values()]
        shares = np.empty_like(per_class[0])
        for number, own in enumerate(per_class):
            shares[numbers == number] = own[numbers == number]
        return shares

    def _require_fitted(self, method: str) -> None:
        if not self._fitted:
            name = type(self).__name__
            raise NotFittedError(
                f"{name}.{method} needs a fitted detector: call {name}.fit(X, y) first, or fit(X) "
                "for a single class."
            )

    def _states_now(self) -> tuple[tuple[FittedState | None, str], ...]:
        return tuple((member.state, member.score_type) for member in self._members.values())

    def _refresh(self) -> None:
        # Members can be changed from outside: updated, fitted again, given another score_type.
        now = self._states_now()
        changed = len(now) != len(self._states) or any(
            old is not new or kind != other
            for (old, kind), (new, other) in zip(self._states, now, strict=True)
        )
        self._states = now
        if changed:
            self._forget_decisions("the classes' former scores")


def _scale(member: MixtureDetector) -> tuple[float, float]:
    """Median and spread of a member's scores over its training rows."""
    if member.score_type == "both":
        return 0.0, 1.0  # on such a scale already
    scales = None if member.state is None else member.state.scales
    assert scales is not None  # a fit leaves them
    part = 0 if member.score_type == "energy" else 1
    return float(scales.parts.centre[part]), float(scales.parts.spread[part])
