"""Decisions by the detectors of several classes: thresholds of classes, votes, cleaning."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from aegmm_detect.decision import is_outlier
from aegmm_detect.detector import threshold_methods
from aegmm_detect.detector.threshold_methods import DEFAULT_PERCENTAGE
from aegmm_detect.exceptions import (
    ConfigurationError,
    InvalidInputError,
    ThresholdNotInferredError,
)
from aegmm_detect.per_class.labels import as_labels, class_numbers, listed
from aegmm_detect.per_class.scoring import ClassScoring
from aegmm_detect.per_class.votes import votes, votes_needed
from aegmm_detect.prediction import prediction
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE
from aegmm_detect.types import BoolArray, FloatArray, IntArray


class ClassDecisions(ClassScoring):
    """Detectors of classes that decide by the classes' own thresholds, too."""

    @property
    def class_thresholds(self) -> dict[Hashable, float | None]:
        """The threshold of each class's own scores, by label; None where none is set."""
        return {label: member.threshold for label, member in self.members.items()}

    def infer_class_thresholds(
        self,
        X: Any,
        y: Any,
        threshold_perc: float = DEFAULT_PERCENTAGE,
        batch_size: int = DEFAULT_BATCH_SIZE,
        *,
        method: str = "percentile",
        fpr: float | None = None,
        contamination: float | None = None,
        k: float | None = None,
        check_trained: bool = True,
    ) -> dict[Hashable, float]:
        """Set a threshold for each class, from the scores of that class's rows.

        `clean`, ``predict(X, y=...)`` and votes need them; `infer_threshold` sets the one of
        ``score(X)``. On rows that were not trained on, by default. The original's are
        ``infer_class_thresholds(X_train, y_train, 80)``: they call 20 % of the training rows of
        every class outliers, whatever there is, and are too low for new rows to the degree that
        nets score rows lower which they have seen.

        Parameters
        ----------
        X, y
            Rows in memory and their class labels; some of every class.
        threshold_perc, method, fpr, contamination, k, check_trained
            As for `infer_threshold`, in each class. The methods that learn from labelled outliers
            are left out: set ``members[label].infer_threshold(...)`` by them.
        batch_size
            As for `score`.

        Returns
        -------
        The thresholds by label, which are also kept until the next `fit`, and in each class until
        its detector's scores change.

        Raises
        ------
        ConfigurationError
            As for `infer_threshold`.
        InvalidInputError
            As for `score`; a class without rows, or with too few for what is asked. No threshold is
            changed then.
        NotFittedError
            Before `fit`.
        """
        self._require_fitted("infer_class_thresholds")
        if "y" in threshold_methods.takes(method):
            raise ConfigurationError(
                f"method={method!r} learns from labelled outliers, and y holds classes here: call "
                "members[label].infer_threshold(X, method=..., y=...) for each class."
            )
        inference = threshold_methods.choose(
            method,
            threshold_perc,
            check_trained=check_trained,
            fpr=fpr,
            contamination=contamination,
            k=k,
        )
        numbers = class_numbers(as_labels(y), self.classes_)
        scores = self._own_scores(X, numbers, batch_size)
        found = {}
        for number, label in enumerate(self.members):
            try:
                found[label] = inference.threshold(scores[numbers == number])
            except InvalidInputError as error:
                raise InvalidInputError(f"Class {label!r}: {error}") from error
        if check_trained and inference.method.held_out:
            consequence = "more inliers will be above the thresholds"
            self._check_held_out(X, batch_size, consequence)
        for label, threshold in found.items():
            self.members[label]._decisions().keep_inferred(threshold)
        return found

    def votes(self, X: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> IntArray:
        """How many classes call each row an outlier.

        Parameters
        ----------
        X, batch_size
            As for `score`.

        Returns
        -------
        Votes (N,), int64, from 0 to C: a class votes where its score is above its threshold. All of
        them do for rows with NaN or infinity.

        Raises
        ------
        ThresholdNotInferredError
            A class has no threshold.
        NotFittedError, InvalidInputError
            As for `score`.
        """
        self._require_fitted("votes")
        thresholds = self._required_thresholds()
        return votes(self.class_scores(X, batch_size), thresholds)

    def clean(self, X: Any, y: Any, batch_size: int = DEFAULT_BATCH_SIZE) -> BoolArray:
        """Which rows of a labelled set to keep: those that their own class calls inliers.

        Parameters
        ----------
        X, y
            Rows and their class labels.
        batch_size
            As for `score`.

        Returns
        -------
        Mask (N,), True for rows to keep: ``X[mask], y[mask]`` is the cleaned set.

        Raises
        ------
        ThresholdNotInferredError
            A class has no threshold.
        NotFittedError, InvalidInputError
            As for `score`.
        """
        self._require_fitted("clean")
        return self.predict(X, batch_size, y=y)["data"]["is_outlier"] == 0

    def predict(
        self,
        X: Any,
        batch_size: int = DEFAULT_BATCH_SIZE,
        return_instance_score: bool = True,
        *,
        return_feature_score: bool = False,
        return_p_value: bool = False,
        fdr: float | None = None,
        y: Any = None,
        min_votes: float | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Score rows and say which are outliers.

        Parameters
        ----------
        X, batch_size, return_instance_score, return_p_value, fdr
            As for `OutlierAEGMM.predict`. p-values and `fdr` are of ``score(X)``, and go with
            neither `y` nor `min_votes`.
        return_feature_score
            Whether to return each feature's share in the strangeness of its row, too: to its own
            class with `y`, else to the class to which it is least strange.
        y
            Class labels (N,): decide by the threshold of each row's own class.
        min_votes
            Decide by vote: a row is an outlier if at least so many classes call it one; a whole
            number, or a float for a share of the classes, rounded up. 1 is one class, 1.0 all.

        Returns
        -------
        As for `OutlierAEGMM.predict`. With `min_votes`, `instance_score` is the number of votes,
        float32.

        Raises
        ------
        ConfigurationError
            As for `OutlierAEGMM.predict`; arguments that exclude each other, or `min_votes` that no
            number of classes can reach.
        ThresholdNotInferredError, NotCalibratedError
            As for `OutlierAEGMM.predict`. `y` and `min_votes` need class thresholds.
        NotFittedError, InvalidInputError
            As for `score`.
        """
        if y is None and min_votes is None:
            return super().predict(
                X,
                batch_size,
                return_instance_score,
                return_feature_score=return_feature_score,
                return_p_value=return_p_value,
                fdr=fdr,
            )
        self._require_fitted("predict")
        if y is not None and min_votes is not None:
            raise ConfigurationError(
                "y= judges rows by their own classes and min_votes= by all of them: pass one."
            )
        if return_p_value or fdr is not None:
            raise ConfigurationError(
                "p-values and fdr= are of score(X), which looks at all classes: leave y and "
                "min_votes out, or use those of one class by members[label].calibrate(X)."
            )
        thresholds = self._required_thresholds()
        numbers: IntArray | None = None
        if y is not None:
            numbers = class_numbers(as_labels(y), self.classes_)
            scores = self._own_scores(X, numbers, batch_size)
            outlier = np.empty(len(scores), dtype=bool)
            for number, threshold in enumerate(thresholds):
                own = numbers == number
                outlier[own] = is_outlier(scores[own], float(threshold))
        else:
            needed = votes_needed(min_votes, len(self.members))
            n_votes = self.votes(X, batch_size)
            scores, outlier = n_votes.astype(np.float32), n_votes >= needed
        return prediction(
            scores if return_instance_score else None,
            outlier,
            dict(self.meta),
            feature_score=self._shares(X, numbers) if return_feature_score else None,
        )

    def _required_thresholds(self) -> FloatArray:
        missing = [label for label, value in self.class_thresholds.items() if value is None]
        if missing:
            raise ThresholdNotInferredError(
                f"There is no threshold for class {listed(missing)}. Call "
                f"{type(self).__name__}.infer_class_thresholds(X, y) on labelled rows that were "
                "not trained on, or set members[label].threshold."
            )
        return np.array(list(self.class_thresholds.values()), dtype=np.float64)
