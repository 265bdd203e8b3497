"""From scores to the threshold above which a row is an outlier, without labels.

A row *at* the threshold is not an outlier. So where scores tie, a threshold never flags more rows
than was asked for: a group of equal scores at the border stays below it.

Scores are (N,) and finite; a higher score is stranger.
"""

import math

import numpy as np
from scipy import stats

from aegmm_detect.argument_checks import check_percentage, check_positive, check_share
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.types import FloatArray

# Share of the rows that count as the tail in `pot`: the common choice (DuMouchel 1983).
_TAIL = 0.1
# Fewest excesses in the tail: with fewer, the standard error of the shape is above .14.
_LEAST_EXCESSES = 50


def percentile(scores: FloatArray, perc: float) -> float:
    """The score below which `perc` % of `scores` (N,) lie, interpolated linearly.

    On a mixed batch with a share p of outliers that score highest, 100 (1 - p) separates them.

    Raises
    ------
    ConfigurationError
        If `perc` is not a number from 0 to 100.
    """
    perc = check_percentage(perc, "perc")
    return float(np.percentile(np.asarray(scores, dtype=np.float64), perc))


def contamination(scores: FloatArray, share: float) -> float:
    """Flags the expected number of outliers: ``round(share * N)`` rows of `scores` (N,).

    Assumes that `share` of these rows are outliers, and that they score highest. The threshold is
    in the middle of the gap above the highest score that is not flagged.

    Raises
    ------
    ConfigurationError
        If `share` is not between 0 and 1.
    """
    share = check_share(share, "share")
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    n_kept = len(ordered) - round(share * len(ordered))
    return cut_above(ordered, ordered[n_kept - 1] if n_kept else just_below(ordered[0]))


def conformal(scores: FloatArray, fpr: float) -> float:
    """Order statistic above which a new inlier scores with a probability of at most `fpr`.

    The k-th smallest of N scores, k = N + 1 - floor((N + 1) fpr). Assumes that the rows are
    inliers, that the detector was not trained on them and that new inliers are drawn like them. It
    assumes nothing about the distribution of the scores. The probability is also over the draw of
    these N rows.

    Parameters
    ----------
    scores
        Scores of inliers, (N,).
    fpr
        Wanted rate of false alarms, between 0 and 1.

    Raises
    ------
    ConfigurationError
        If `fpr` is not between 0 and 1.
    InvalidInputError
        If there are fewer than 1 / fpr - 1 rows: no order statistic has that rate above it.

    Notes
    -----
    Split conformal prediction: Vovk, Gammerman and Shafer (2005), "Algorithmic Learning in a
    Random World".
    """
    fpr = check_share(fpr, "fpr")
    n = len(scores)
    # Rounding must not take one from whole products, such as 100 * 0.29.
    n_above = math.floor((n + 1) * fpr * (1.0 + 1e-12))
    if n_above == 0:
        raise InvalidInputError(
            f"{n} rows are too few for fpr={fpr:g}: at least {rows_needed(fpr)} are needed."
        )
    return float(np.partition(np.asarray(scores, dtype=np.float64), n - n_above)[n - n_above])


def rows_needed(rate: float) -> int:
    """Fewest rows N for which a new row can be the strangest at a rate 1 / (N + 1) <= `rate`."""
    return math.ceil(1.0 / rate * (1.0 - 1e-12)) - 1


def pot(scores: FloatArray, fpr: float) -> float:
    """Threshold with a rate of `fpr` above it by extrapolation: peaks over threshold.

    A generalised Pareto distribution G is fitted by maximum likelihood to the excesses over u, the
    90th percentile. The threshold is u + G^-1(1 - fpr / zeta), where zeta is the share of rows
    above u.

    Assumes that the rows are inliers, or that far fewer than a tenth of them are outliers; that
    the detector was not trained on them; and that the tail is as smooth beyond the highest score as
    below it. This allows rates down to some 0.1 / N. The true rate is about right in the median.
    Its mean over many samples is higher, because a threshold that is too low misses by more; the
    page on thresholds has numbers.

    Parameters
    ----------
    scores
        Scores (N,), N from 500.
    fpr
        Wanted rate, below 0.1.

    Raises
    ------
    ConfigurationError
        If `fpr` is not between 0 and the share of rows above u.
    InvalidInputError
        If fewer than 50 scores are above u, or if no such distribution fits.

    Notes
    -----
    Pickands (1975), Annals of Statistics 3, 119-131; Siffer et al. (2017), "Anomaly Detection in
    Streams with Extreme Value Theory", KDD, equation 1.
    """
    fpr = check_share(fpr, "fpr")
    scores = np.asarray(scores, dtype=np.float64)
    # A score of the sample: an interpolated one could lie a rounding error below many equal ones.
    start = np.quantile(scores, 1.0 - _TAIL, method="lower")
    excesses = scores[scores > start] - start
    if len(excesses) < _LEAST_EXCESSES:
        raise InvalidInputError(
            f"{len(excesses)} of {len(scores)} scores are above their 90th percentile, and the fit "
            f"of a tail needs {_LEAST_EXCESSES}, of at least {round(_LEAST_EXCESSES / _TAIL)} rows "
            "with different scores."
        )
    share = len(excesses) / len(scores)
    if fpr >= share:
        raise ConfigurationError(
            f"fpr={fpr:g} is not in the tail that is fitted, which begins at {share:.3g}."
        )
    unit = np.median(excesses)  # the search for the maximum wants numbers near 1
    shape, _, scale = stats.genpareto.fit(excesses / unit, 0.1, floc=0.0, scale=1.0)
    threshold = start + unit * float(stats.genpareto.isf(fpr / share, shape, scale=scale))
    if not threshold < np.finfo(np.float32).max:
        raise InvalidInputError(
            f"The tail of the scores is so heavy (shape {shape:.3g}) that no float32 number has a "
            f"rate of fpr={fpr:g} above it. Outliers among the rows can be the cause."
        )
    return float(threshold)


def mad(scores: FloatArray, k: float = 3.5) -> float:
    """Median + `k` robust standard deviations, 1.4826 times the median absolute deviation.

    Assumes that more than half of the rows are inliers; the scores of the others do not matter. If
    scores were Gaussian, a share of 1 - Phi(k) of the inliers would be above the threshold, .02 %
    for 3.5. Energies have a longer tail, so the share is larger.

    Parameters
    ----------
    scores
        Scores (N,) of a batch of which less than one half are outliers.
    k
        Positive. Default 3.5: Iglewicz and Hoaglin (1993), "How to Detect and Handle Outliers".

    Raises
    ------
    ConfigurationError
        If `k` is not positive and finite.
    InvalidInputError
        If half of the scores are the same, so that their deviation is 0.
    """
    k = check_positive(k, "k")
    scores = np.asarray(scores, dtype=np.float64)
    deviation = float(stats.median_abs_deviation(scores, scale="normal"))
    if deviation == 0.0:
        raise InvalidInputError(
            f"At least half of the {len(scores)} scores are the same, so their median absolute "
            "deviation is 0."
        )
    return float(np.median(scores)) + k * deviation


def cut_above(scores: FloatArray, low: float) -> float:
    """Threshold that leaves `low` unflagged and flags all of `scores` (N,) that are higher.

    It is in the middle of the gap above `low`, as far as can be from both sides. Where no score is
    higher, it is `low` itself.
    """
    higher = scores[scores > low]
    if not len(higher):
        return float(low)
    high = float(higher.min())
    middle = low / 2.0 + high / 2.0
    # Scores are float32, and NumPy compares them with a Python float in their own precision.
    return float(middle if np.float32(middle) < np.float32(high) else low)


def just_below(score: float) -> float:
    """The next lower float32 number: a threshold that flags `score`."""
    return float(np.nextafter(np.float32(score), np.float32(-np.inf)))
