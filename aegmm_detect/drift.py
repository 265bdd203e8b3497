"""Do recent scores look like those of the inliers that a detector was calibrated on?"""

import dataclasses

import numpy as np
from scipy import stats

from aegmm_detect.calibration import Calibration
from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.numerics.density import Scale
from aegmm_detect.types import FloatArray


@dataclasses.dataclass(frozen=True)
class DriftReport:
    """How recent scores differ from those of calibration."""

    statistic: float  # largest distance of the two distribution functions, from 0 to 1
    p_value: float  # of Kolmogorov and Smirnov's two-sample test, two-sided
    median_shift: float  # of the scores; in interquartile ranges of the calibration's
    n_recent: int  # rows with NaN do not count
    n_calibration: int


def drift_report(calibration: Calibration, scores: FloatArray) -> DriftReport:
    """Compare two samples of scores.

    Scores see a change only where it makes rows stranger or more usual; what moves along the
    mixture's contours stays hidden. The test takes rows for independent: neighbouring rows of a
    time series that hardly differ make its p-value too small.

    Parameters
    ----------
    calibration
        Scores of held-out inliers.
    scores
        Of recent rows, (N,); NaN does not count.

    Raises
    ------
    InvalidInputError
        No scores.

    Notes
    -----
    Hodges (1958), "The significance probability of the Smirnov two-sample test", as in
    `scipy.stats.ks_2samp`.
    """
    scores = scores[~np.isnan(scores)].astype(np.float64)
    if not len(scores):
        raise InvalidInputError("X holds no usable rows to compare with the calibration.")
    known = calibration.scores.astype(np.float64)
    test = stats.ks_2samp(scores, known)
    scale = Scale.robust(known[None])
    return DriftReport(
        statistic=float(test.statistic),
        p_value=float(test.pvalue),
        median_shift=float((np.median(scores) - scale.centre[0]) / scale.spread[0]),
        n_recent=len(scores),
        n_calibration=len(known),
    )
