"""From scores and labels to the threshold above which a row is an outlier.

Scores are (N,) and finite; a higher score is stranger. Labels are (N,): 0 inlier, 1 outlier, -1
unlabelled. A row at the threshold is not an outlier.
"""

from collections.abc import Callable

import numpy as np
from sklearn.isotonic import IsotonicRegression

from aegmm_detect._lazy import lazy_names
from aegmm_detect.argument_checks import check_positive
from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.input_checks import INLIER, OUTLIER, UNLABELLED
from aegmm_detect.numerics.thresholds import conformal, cut_above, just_below
from aegmm_detect.types import Array, FloatArray, IntArray

# Each row is held out once. More folds cost time and change little.
_FOLDS = 5
# Four per fold. The mean of fewer is mostly noise.
_LEAST_LABELLED = 20

# Hits (M,), false alarms (M,) and the numbers of outliers and of inliers -> quality (M,).
Quality = Callable[[Array, Array, int, int], FloatArray]


def fbeta(scores: FloatArray, y: IntArray, beta: float = 1.0) -> float:
    """The threshold with the best F-beta on the labelled rows.

    F-beta = (1 + beta^2) P R / (beta^2 P + R), with precision P and recall R. Assumes that new rows
    hold the same share of outliers as the labelled ones, because precision depends on it. If
    several thresholds are equally good, it is the highest one, in the middle of its gap.

    Parameters
    ----------
    scores, y
        At least one labelled inlier and one labelled outlier; unlabelled rows do not count.
    beta
        How many times as much recall counts as precision. Default 1: F1.

    Raises
    ------
    ConfigurationError
        If `beta` is not positive and finite.
    InvalidInputError
        If no inlier or no outlier is labelled.
    """
    weight = check_positive(beta, "beta") ** 2

    def quality(hits: Array, alarms: Array, n_out: int, _: int) -> FloatArray:
        return (1.0 + weight) * hits / (weight * n_out + hits + alarms)

    return _best(scores, y, quality)


def youden(scores: FloatArray, y: IntArray) -> float:
    """The threshold with the largest recall minus false-positive rate on the labelled rows.

    Youden's J counts a share of missed outliers as much as the same share of false alarms. Assumes
    nothing about the number of outliers among new rows. Ties as for `fbeta`.

    Parameters
    ----------
    scores, y
        At least one labelled inlier and one labelled outlier; unlabelled rows do not count.

    Raises
    ------
    InvalidInputError
        If no inlier or no outlier is labelled.

    Notes
    -----
    Youden (1950), Cancer 3, 32-35.
    """
    return _best(scores, y, lambda hits, alarms, n_out, n_in: hits / n_out - alarms / n_in)


def inliers(scores: FloatArray, y: IntArray, fpr: float) -> float:
    """Threshold with a rate of false alarms `fpr`, from the labelled inliers alone.

    This is `conformal` of their scores, with its assumptions. In particular, which inliers have a
    label must not depend on their scores.

    Parameters
    ----------
    scores, y
        Labelled inliers; other rows do not count.
    fpr
        Between 0 and 1.

    Raises
    ------
    ConfigurationError
        If `fpr` is not between 0 and 1.
    InvalidInputError
        If there are fewer than 1 / fpr - 1 labelled inliers.
    """
    labelled = np.asarray(scores)[np.asarray(y) == INLIER]
    if not len(labelled):
        raise InvalidInputError("y marks no row as inlier (0).")
    return conformal(labelled, fpr)


def pu(scores: FloatArray, y: IntArray) -> float:
    """Threshold where a row is an outlier with probability 1/2, learned from labelled inliers.

    Let g(s) be the probability that a row of score s is labelled, and c the mean of g over held-out
    labelled inliers. Then a row is an inlier with probability g(s) / c, and the threshold is where
    g(s) = c / 2. Here g is a decreasing isotonic regression of the labels on the scores, and c
    comes from 5-fold cross-validation.

    Assumes that inliers were labelled at random, whatever their scores; that inliers and outliers
    hardly overlap (otherwise c is too low and the threshold too high); and that outliers score
    higher, but nothing else about the distribution of scores. With few labels, the highest scores
    are all unlabelled by chance: about 2 (1 - c) / c rows are flagged even if none is an outlier,
    or if all outliers lie far away.

    Parameters
    ----------
    scores, y
        One mixed batch: labelled inliers, and unlabelled rows of both kinds. At least 20 of each.

    Raises
    ------
    InvalidInputError
        If there are too few of either, or if a row is labelled as outlier.

    Notes
    -----
    Elkan and Noto (2008), "Learning classifiers from only positive and unlabeled data", KDD,
    equation 1 and estimator e1, with an isotonic regression in place of a Platt-scaled classifier:
    g levels off at c, but a logistic curve goes on to 1.
    """
    scores, y = np.asarray(scores, dtype=np.float64), np.asarray(y)
    if n_outliers := np.count_nonzero(y == OUTLIER):
        raise InvalidInputError(
            f"{n_outliers} rows are labelled as outliers (1), but only inliers (0) and unlabelled "
            "rows (-1) can be learned from here."
        )
    for label, what in ((INLIER, "labelled inliers (0)"), (UNLABELLED, "unlabelled rows (-1)")):
        if (n := np.count_nonzero(y == label)) < _LEAST_LABELLED:
            raise InvalidInputError(f"y marks {n} {what}: at least {_LEAST_LABELLED} are needed.")
    labelled = y == INLIER
    fold = _folds(scores, labelled)
    held_out = np.empty(len(scores))
    for number in range(_FOLDS):
        test = fold == number
        held_out[test] = _share_labelled(scores[~test], labelled[~test]).predict(scores[test])
    c = held_out[labelled].mean()
    likely_inlier = _share_labelled(scores, labelled).predict(scores) >= c / 2.0
    return cut_above(scores, scores[likely_inlier].max())


def _best(scores: FloatArray, y: IntArray, quality: Quality) -> float:
    known = np.asarray(y) != UNLABELLED
    scores, y = np.asarray(scores, dtype=np.float64)[known], np.asarray(y)[known]
    n_out, n_in = int(np.sum(y == OUTLIER)), int(np.sum(y == INLIER))
    if not n_out or not n_in:
        raise InvalidInputError(
            f"y marks {n_out} rows as outliers (1) and {n_in} as inliers (0): both are needed."
        )
    values, place = np.unique(scores, return_inverse=True)
    # Rows flagged by a threshold just below each value, from all of them to the highest.
    hits, alarms = (
        np.cumsum(np.bincount(place, y == label)[::-1])[::-1] for label in (OUTLIER, INLIER)
    )
    each = quality(hits, alarms, n_out, n_in)
    lowest_flagged = int(np.flatnonzero(each == each.max())[-1])
    low = values[lowest_flagged - 1] if lowest_flagged else just_below(values[0])
    return cut_above(values, low)


def _folds(scores: FloatArray, labelled: Array) -> IntArray:
    """Fold of each row. Along sorted scores, folds take turns: the order of rows has no effect."""
    fold = np.empty(len(scores), dtype=np.int64)
    for members in (np.flatnonzero(labelled), np.flatnonzero(~labelled)):
        fold[members[np.argsort(scores[members])]] = np.arange(len(members)) % _FOLDS
    return fold


def _share_labelled(scores: FloatArray, labelled: Array) -> IsotonicRegression:
    return IsotonicRegression(increasing=False, out_of_bounds="clip").fit(scores, labelled)


__getattr__ = lazy_names(__name__, {}, {"check_labels": "aegmm_detect.input_checks"})[0]
