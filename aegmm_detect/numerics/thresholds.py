"""From scores to the one number above which a row is an outlier."""

from typing import Any

import numpy as np

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.types import FloatArray


def percentile(scores: FloatArray, perc: float) -> float:
    """The score below which `perc` % of `scores` (N,) lie, interpolated linearly.

    On a mixed batch with a share p of outliers that score highest, 100 (1 - p) separates them.

    Raises
    ------
    ConfigurationError
        If `perc` is no number or outside [0, 100].
    """
    return float(np.percentile(np.asarray(scores, dtype=np.float64), check_percentage(perc)))


def check_percentage(perc: Any) -> float:
    """`perc` as a float.

    Raises
    ------
    ConfigurationError
        If it is no number or outside [0, 100].
    """
    try:
        # float() reads text, too.
        number = np.nan if isinstance(perc, (str, bytes)) else float(perc)
    except (TypeError, ValueError):
        number = np.nan
    if not 0.0 <= number <= 100.0:
        raise ConfigurationError(
            f"threshold_perc={perc!r}: pass a number from 0 to 100, such as 95."
        )
    return number
