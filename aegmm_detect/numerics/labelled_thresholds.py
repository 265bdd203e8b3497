"""From scores and labels to the one number above which a row is an outlier.

Scores are (N,), finite, higher is stranger. Labels are (N,): 0 inlier, 1 outlier, -1 unlabelled.
A row at a threshold is no outlier.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from aegmm_detect.argument_checks import check_positive
from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.numerics.thresholds import conformal, cut_above, just_below
from aegmm_detect.types import Array, FloatArray, IntArray

INLIER, OUTLIER, UNLABELLED = 0, 1, -1

# Each row is held out once; more folds cost time and change little.
_FOLDS = 5
# Four held out per fold. With fewer, their mean is mostly noise.
_LEAST_LABELLED = 20

# Hits (M,), false alarms (M,) and the numbers of outliers and of inliers -> quality (M,).
Quality = Callable[[Array, Array, int, int], FloatArray]


def fbeta(scores: FloatArray, y: IntArray, beta: float = 1.0) -> float:
    """The threshold with the best F-beta on the labelled rows.

    F-beta = (1 + beta^2) P R / (beta^2 P + R), with precision P and recall R. Assumes that new rows
    hold the same share of outliers as the labelled ones, as precision depends on it. Of thresholds
    that are equally good the highest is taken, in the middle of its gap.

    Parameters
    ----------
    scores, y
        Both kinds of label must be there; unlabelled rows are left out.
    beta
        How many times as much recall counts as precision. Default 1: F1.

    Raises
    ------
    ConfigurationError
        If `beta` is not positive and finite.
    InvalidInputError
        No inlier or no outlier is labelled.
    """
    weight = check_positive(beta, "beta") ** 2

    def quality(hits: Array, alarms: Array, n_out: int, _: int) -> FloatArray:
        return (1.0 + weight) * hits / (weight * n_out + hits + alarms)

    return _best(scores, y, quality)


def youden(scores: FloatArray, y: IntArray) -> float:
    """The threshold with the largest recall minus false-positive rate on the labelled rows.

    Youden's J counts a share of missed outliers as much as the same share of false alarms. Assumes
    nothing about how many outliers there will be. Ties as for `fbeta`.

    Parameters
    ----------
    scores, y
        Both kinds of label must be there; unlabelled rows are left out.

    Raises
    ------
    InvalidInputError
        No inlier or no outlier is labelled.

    Notes
    -----
    Youden (1950), Cancer 3, 32-35.
    """
    return _best(scores, y, lambda hits, alarms, n_out, n_in: hits / n_out - alarms / n_in)


def inliers(scores: FloatArray, y: IntArray, fpr: float) -> float:
    """Rate of false alarms `fpr` by the labelled inliers alone; other rows are left out.

    `conformal` of their scores, and its assumptions: in particular, which inliers got a label must
    not depend on their scores.

    Parameters
    ----------
    scores, y
        Labelled inliers must be there.
    fpr
        Between 0 and 1.

    Raises
    ------
    ConfigurationError
        If `fpr` is not between 0 and 1.
    InvalidInputError
        Fewer than 1 / fpr - 1 labelled inliers.
    """
    labelled = np.asarray(scores)[np.asarray(y) == INLIER]
    if not len(labelled):
        raise InvalidInputError(
            "y marks no row as inlier (0). Rows that are all inliers need no y: method='fpr'."
        )
    return conformal(labelled, fpr)


def pu(scores: FloatArray, y: IntArray) -> float:
    """Where an unlabelled row is an outlier as likely as not, learned from labels of inliers alone.

    With g(s) the probability that a row of score s is labelled, and c the mean of g over held-out
    labelled inliers, a row is an inlier with probability g(s) / c; the threshold is where
    g(s) = c / 2. Here g is an isotonic regression of the labels on the scores, never rising, and c
    comes from 5-fold cross-validation.

    Assumes that inliers were labelled at random, whatever their scores; that inliers and outliers
    hardly overlap (where they do, c comes out low and the threshold high); and that higher scores
    mean outliers, nothing else of their shape. With few labels the highest scores are all
    unlabelled by chance: about 2 (1 - c) / c rows are flagged even if none is an outlier, or if all
    outliers lie far away.

    Parameters
    ----------
    scores, y
        Of one mixed batch: labelled inliers, and unlabelled rows of both kinds. At least 20 of
        each.

    Raises
    ------
    InvalidInputError
        Too few of either, or a row is labelled as outlier.

    Notes
    -----
    Elkan and Noto (2008), "Learning classifiers from only positive and unlabeled data", KDD,
    equation 1 and estimator e1, with an isotonic regression in the place of a Platt-scaled
    classifier: g levels off at c, where a logistic curve goes on to 1.
    """
    scores, y = np.asarray(scores, dtype=np.float64), np.asarray(y)
    if n_outliers := np.count_nonzero(y == OUTLIER):
        raise InvalidInputError(
            f"{n_outliers} rows are labelled as outliers (1), but method='pu' learns from inliers "
            "(0) and unlabelled rows (-1) only: use method='fbeta' or 'youden', or leave them out."
        )
    for label, what in ((INLIER, "labelled inliers (0)"), (UNLABELLED, "unlabelled rows (-1)")):
        if (n := np.count_nonzero(y == label)) < _LEAST_LABELLED:
            raise InvalidInputError(
                f"y marks {n} {what}: method='pu' needs at least {_LEAST_LABELLED} of them."
            )
    labelled = y == INLIER
    fold = _folds(scores, labelled)
    held_out = np.empty(len(scores))
    for number in range(_FOLDS):
        test = fold == number
        held_out[test] = _share_labelled(scores[~test], labelled[~test]).predict(scores[test])
    c = held_out[labelled].mean()
    likely_inlier = _share_labelled(scores, labelled).predict(scores) >= c / 2.0
    return cut_above(scores, scores[likely_inlier].max())


def check_labels(y: Any) -> IntArray:
    """`y` as int64 (N,).

    Raises
    ------
    InvalidInputError
        Another shape, or labels other than 0, 1 and -1.
    """
    labels: Array = np.asarray(y)
    fits = "pass one label per row: 0 inlier, 1 outlier, -1 unlabelled"
    if labels.ndim != 1:
        raise InvalidInputError(f"y has shape {labels.shape}: {fits}.")
    if labels.dtype.kind not in "biuf":
        raise InvalidInputError(f"y holds {labels.dtype} values: {fits}.")
    foreign = labels[~np.isin(labels, (INLIER, OUTLIER, UNLABELLED))]
    if len(foreign):
        raise InvalidInputError(f"y holds labels such as {foreign[0]}: {fits}.")
    return labels.astype(np.int64)


def _best(scores: FloatArray, y: IntArray, quality: Quality) -> float:
    known = np.asarray(y) != UNLABELLED
    scores, y = np.asarray(scores, dtype=np.float64)[known], np.asarray(y)[known]
    n_out, n_in = int(np.sum(y == OUTLIER)), int(np.sum(y == INLIER))
    if not n_out or not n_in:
        # As scikit-learn's outlier detectors label rows.
        ones = " If -1 marks your outliers and 1 the others, pass (y == -1).astype(int)."
        raise InvalidInputError(
            f"y marks {n_out} rows as outliers (1) and {n_in} as inliers (0): this method needs "
            f"both.{ones if not n_in and not known.all() else ''}"
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
    """Fold of each row: dealt out in turn along the scores, so that no order of rows counts."""
    fold = np.empty(len(scores), dtype=np.int64)
    for members in (np.flatnonzero(labelled), np.flatnonzero(~labelled)):
        fold[members[np.argsort(scores[members])]] = np.arange(len(members)) % _FOLDS
    return fold


def _share_labelled(scores: FloatArray, labelled: Array) -> IsotonicRegression:
    return IsotonicRegression(increasing=False, out_of_bounds="clip").fit(scores, labelled)
