"""Several detectors' scores of the same rows, one detector for each class, as one answer.

Axes: N rows, C classes.
"""

import math
from typing import Any

import numpy as np

from aegmm_detect.decision import is_outlier
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics.density import Scale
from aegmm_detect.types import FloatArray, IntArray

# A third of nine is three, although 1 / 3 * 9 may come out just above.
_ROUNDING = 1e-9


def on_one_scale(scores: FloatArray, scale: Scale) -> FloatArray:
    """Scores (N, C) less the centre of their class, in spreads of it; float64 (N, C)."""
    return (scores.astype(np.float64) - scale.centre) / scale.spread


def votes(scores: FloatArray, thresholds: FloatArray) -> IntArray:
    """How many classes call each row an outlier, (N,).

    Parameters
    ----------
    scores
        (N, C); NaN counts as above every threshold.
    thresholds
        (C,).
    """
    per_class = zip(scores.T, thresholds, strict=True)
    return np.sum([is_outlier(own, float(threshold)) for own, threshold in per_class], axis=0)


def votes_needed(min_votes: Any, n_classes: int) -> int:
    """`min_votes` as a number of classes.

    Parameters
    ----------
    min_votes
        A whole number from 1 to `n_classes`, or a float above 0 and up to 1: a share of the
        classes, rounded up.
    n_classes
        C.

    Raises
    ------
    ConfigurationError
        Anything else.
    """
    kind = np.asarray(min_votes).dtype.kind if np.ndim(min_votes) == 0 else ""
    if kind in ("i", "u") and 1 <= min_votes <= n_classes:
        return int(min_votes)
    if kind == "f" and 0.0 < min_votes <= 1.0:
        return max(1, math.ceil(float(min_votes) * n_classes - _ROUNDING))
    raise ConfigurationError(
        f"min_votes={min_votes!r}: pass a whole number of classes from 1 to {n_classes}, or a "
        "share of them as a float, such as 1.0 for all."
    )
