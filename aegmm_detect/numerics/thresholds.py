"""From scores to the one number above which a row is an outlier; no labels.

A row *at* a threshold is no outlier. So where scores tie, a threshold never flags more rows than
was asked for: a group of equal scores at the border stays below it.

Scores are (N,), finite, higher is stranger.
"""

import math

import numpy as np
from scipy import stats

from aegmm_detect.argument_checks import check_percentage, check_positive, check_share
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.types import FloatArray

# Share of the rows whose excess `pot` fits: the common choice (DuMouchel 1983).
_TAIL = 0.1
# Excesses below which a shape is a guess: its standard error is then some 0.14.
_LEAST_EXCESSES = 50


def percentile(scores: FloatArray, perc: float) -> float:
    """The score below which `perc` % of `scores` (N,) lie, interpolated linearly.

    On a mixed batch with a share p of outliers that score highest, 100 (1 - p) separates them.

    Raises
    ------
    ConfigurationError
        If `perc` is no number or outside [0, 100].
    """
    return float(np.percentile(np.asarray(scores, dtype=np.float64), check_percentage(perc)))


def contamination(scores: FloatArray, share: float) -> float:
    """Flags the expected number of outliers: ``round(share * N)`` rows of `scores` (N,).

    Assumes that `share` of these rows are outliers, and that they score highest. The threshold is
    in the middle of the gap above the highest score that is not flagged.

    Raises
    ------
    ConfigurationError
        If `share` is not between 0 and 1.
    """
    share = check_share(share, "contamination")
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    n_kept = len(ordered) - round(share * len(ordered))
    return cut_above(ordered, ordered[n_kept - 1] if n_kept else just_below(ordered[0]))


def conformal(scores: FloatArray, fpr: float) -> float:
    """Order statistic above which a new inlier scores with a probability of at most `fpr`.

    The k-th smallest of N scores, k = N + 1 - floor((N + 1) fpr). Assumes that the rows are
    inliers, that they were not trained on and that new inliers are drawn like them, and nothing
    about the shape of their scores. The probability is over the draw of these N rows, too.

    Parameters
    ----------
    scores
        Of inliers, (N,).
    fpr
        Wanted rate of false alarms, between 0 and 1.

    Raises
    ------
    ConfigurationError
        If `fpr` is not between 0 and 1.
    InvalidInputError
        Fewer than 1 / fpr - 1 rows: no score of theirs has that rate above it.

    Notes
    -----
    Split conformal prediction: Vovk, Gammerman and Shafer (2005), "Algorithmic Learning in a
    Random World".
    """
    fpr = check_share(fpr, "fpr")
    n = len(scores)
    # Whole products, such as 100 * 0.29, must not fall short of themselves by rounding.
    n_above = math.floor((n + 1) * fpr * (1.0 + 1e-12))
    if n_above == 0:
        raise InvalidInputError(
            f"{n} rows are too few for fpr={fpr:g}: pass at least {rows_needed(fpr)}, a higher "
            "rate, or method='pot', which extrapolates."
        )
    return float(np.partition(np.asarray(scores, dtype=np.float64), n - n_above)[n - n_above])


def rows_needed(rate: float) -> int:
    """Fewest rows N of which a new row can be stranger at a rate of ``1 / (N + 1) <= rate``."""
    return math.ceil(1.0 / rate * (1.0 - 1e-12)) - 1


def pot(scores: FloatArray, fpr: float) -> float:
    """Tail rate `fpr` by extrapolation: peaks over threshold.

    The excesses over the 90th percentile u are fitted by a generalised Pareto distribution G, by
    maximum likelihood; the answer is u + G^-1(1 - fpr / zeta) with zeta the share of rows above u.
    Assumes that the rows are inliers, or that outliers are far fewer than a tenth of them, that
    they were not trained on, and that the tail is as smooth beyond the highest score as below it.
    One can so ask for rates down to some 0.1 / N. The rate that one gets is about right in the
    median; over many samples its mean is higher, as thresholds that are too low miss by more: the
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
        Fewer than 50 scores are above u, or no such distribution fits.

    Notes
    -----
    Pickands (1975), Annals of Statistics 3, 119-131; Siffer et al. (2017), "Anomaly Detection in
    Streams with Extreme Value Theory", KDD, equation 1.
    """
    fpr = check_share(fpr, "fpr")
    scores = np.asarray(scores, dtype=np.float64)
    # A score of the sample: interpolated, it could lie a rounding error below many equal ones.
    start = np.quantile(scores, 1.0 - _TAIL, method="lower")
    excesses = scores[scores > start] - start
    if len(excesses) < _LEAST_EXCESSES:
        raise InvalidInputError(
            f"{len(excesses)} of {len(scores)} scores are above their 90th percentile, and the fit "
            f"of a tail needs {_LEAST_EXCESSES}: pass at least {round(_LEAST_EXCESSES / _TAIL)} "
            "rows with different scores, or choose another method."
        )
    share = len(excesses) / len(scores)
    if fpr >= share:
        raise ConfigurationError(
            f"fpr={fpr:g} is not in the tail that method='pot' fits, which begins at {share:.3g}: "
            "method='fpr' needs no fit for such a rate."
        )
    unit = np.median(excesses)  # the search for the maximum wants numbers near 1
    shape, _, scale = stats.genpareto.fit(excesses / unit, 0.1, floc=0.0, scale=1.0)
    threshold = start + unit * float(stats.genpareto.isf(fpr / share, shape, scale=scale))
    if not threshold < np.finfo(np.float32).max:
        raise InvalidInputError(
            f"The tail of the scores is so heavy (shape {shape:.3g}) that no float32 number has a "
            f"rate of fpr={fpr:g} above it. Are there outliers among these rows?"
        )
    return float(threshold)


def mad(scores: FloatArray, k: float = 3.5) -> float:
    """Median + `k` robust standard deviations, 1.4826 times the median absolute deviation.

    Assumes that more than half of the rows are inliers; the others may score whatever they like.
    For Gaussian scores a share of 1 - Phi(k) of inliers is above, .02 % for 3.5. Energies have a
    longer tail, and more of them are.

    Parameters
    ----------
    scores
        Of a batch with any share of outliers below one half, (N,).
    k
        Positive. Default 3.5: Iglewicz and Hoaglin (1993), "How to Detect and Handle Outliers".

    Raises
    ------
    ConfigurationError
        If `k` is not positive and finite.
    InvalidInputError
        Half of the scores are the same, so that there is no deviation.
    """
    k = check_positive(k, "k")
    scores = np.asarray(scores, dtype=np.float64)
    deviation = float(stats.median_abs_deviation(scores, scale="normal"))
    if deviation == 0.0:
        raise InvalidInputError(
            f"At least half of the {len(scores)} scores are the same, so their median absolute "
            "deviation is 0: pass more different rows, or choose another method."
        )
    return float(np.median(scores)) + k * deviation


def cut_above(scores: FloatArray, low: float) -> float:
    """Threshold that leaves `low` unflagged and flags all of `scores` (N,) that are higher.

    In the middle of the gap above `low`, which is as far as can be from both sides; `low` itself
    where no score is higher.
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
