"""Advice for users of `infer_threshold` when a method raises an error.

Each function takes the error and the labels, which are empty for methods without labels. It
returns sentences that are appended to the error message.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.input_checks import INLIER, OUTLIER, UNLABELLED
from aegmm_detect.types import IntArray

Advice: TypeAlias = Callable[[Exception, IntArray], str]


def none(_: Exception, __: IntArray) -> str:
    """No advice, for methods whose errors need none."""
    return ""


def on_fpr(_: Exception, __: IntArray) -> str:
    """Advice for 'fpr'."""
    return "Pass more rows, a higher rate, or method='pot', which extrapolates."


def on_pot(error: Exception, _: IntArray) -> str:
    """Advice for 'pot'."""
    if isinstance(error, ConfigurationError):
        return "method='fpr' needs no fit for such a rate."
    return "Pass more inliers, or choose another method."


def on_mad(_: Exception, __: IntArray) -> str:
    """Advice for 'mad'."""
    return "Pass more different rows, or choose another method."


def on_both_labels(_: Exception, y: IntArray) -> str:
    """Advice for 'fbeta' and 'youden'."""
    # scikit-learn's outlier detectors use these labels.
    if np.isin(UNLABELLED, y) and not np.isin(INLIER, y):
        return "If -1 marks your outliers and 1 the others, pass (y == -1).astype(int)."
    return ""


def on_inliers(error: Exception, y: IntArray) -> str:
    """Advice for 'inliers'."""
    if np.isin(INLIER, y):
        return on_fpr(error, y)
    return "Rows that are all inliers need no y: method='fpr'."


def on_pu(_: Exception, y: IntArray) -> str:
    """Advice for 'pu'."""
    if np.isin(OUTLIER, y):
        return "Use method='fbeta' or 'youden', or leave these rows out."
    return ""
