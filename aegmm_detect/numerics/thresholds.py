"""From scores to the one number above which a row is an outlier."""

import numpy as np

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.types import FloatArray


def percentile(scores: FloatArray, perc: float) -> float:
    """The score below which `perc` % of `scores` (N,) lie, interpolated linearly.

    On a mixed batch with a share p of outliers that score highest, 100 (1 - p) separates them.

    Raises
    ------
    ConfigurationError
        If `perc` is outside [0, 100].
    """
    if not 0.0 <= perc <= 100.0:
        raise ConfigurationError(
            f"threshold_perc={perc!r}: pass a percentage from 0 to 100, for example 95.0."
        )
    return float(np.percentile(np.asarray(scores, dtype=np.float64), perc))
