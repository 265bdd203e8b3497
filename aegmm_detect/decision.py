"""The one rule by which scores become decisions."""

from typing import Any

import numpy as np

from aegmm_detect.types import BoolArray, FloatArray


def in_precision_of(scores: FloatArray, threshold: float) -> Any:
    """The threshold as a number of the type of `scores`; too large a one is infinite."""
    with np.errstate(over="ignore"):
        return scores.dtype.type(threshold)


def is_outlier(scores: FloatArray, threshold: float) -> BoolArray:
    """Which scores (N,) are above the threshold, or NaN.

    Not ``scores > threshold``, which calls NaN an inlier; equal for every number.
    """
    return ~(scores <= in_precision_of(scores, threshold))
