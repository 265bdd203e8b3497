"""Is an exported graph the detector's? Exporters report success on graphs that are not."""

from collections.abc import Callable

import numpy as np

from aegmm_detect.decision import in_precision_of, is_outlier
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.scoring.runtimes import Outputs
from aegmm_detect.types import Array, FloatArray

# Largest difference of scores s, relative to max(1, |s|). Rounding in float32 leaves some 1e-5,
# and 1e-4 under a covariance of condition 1e8; a wrong operation leaves more than this.
TOLERANCE = 1e-3
# Distances of made-up rows from the middle of the data, in spreads, and how many of each.
_DISTANCES = ((1.0, 192), (10.0, 32), (100.0, 16), (1000.0, 16))
# For a score at the threshold: points between two rows in one round, how many of them on either
# side of the crossing are looked at more closely in the next, and rounds. Scores waver in their
# last digits, so the crossing is not a single point.
_POINTS, _MARGIN, _ROUNDS = 1024, 8, 8


def made_up_rows(normalizer: Normalizer | None, shape: tuple[int, ...]) -> FloatArray:
    """Rows near the data and far from it, float64; standard normal ones where no scaling is known.

    The last is zero. The middle of the data is not among them: scaled, it is zero, where the cosine
    of a reconstruction jumps, and rounding alone decides to which side.
    """
    rng = np.random.default_rng(0)
    parts = [distance * rng.standard_normal((n, *shape)) for distance, n in _DISTANCES]
    offset, scale = np.zeros(shape), np.ones(shape)
    if normalizer is not None:
        offset, scale = normalizer.offset, normalizer.scale
    rows = offset + scale * np.concatenate(parts)
    return np.concatenate([rows, np.zeros((1, *shape))])


def with_non_finite(rows: FloatArray) -> FloatArray:
    """`rows`, and after them four that have NaN, infinities, or more than float32 can hold."""
    bad = np.repeat(rows[:1].astype(np.float64), 4, axis=0)
    bad.reshape(4, -1)[:, -1] = [np.nan, np.inf, -np.inf, 1e39]
    return np.concatenate([rows.astype(np.float64), bad])


def compare(
    run: Callable[[FloatArray], Outputs],
    reference: Callable[[FloatArray], FloatArray],
    threshold: float,
    rows: FloatArray,
) -> float:
    """Largest difference of scores of `rows`, relative to max(1, |score|).

    Parameters
    ----------
    run
        The exported graph.
    reference
        The detector's scores, NaN for rows that are not finite.
    threshold
        Of the detector.
    rows
        Float64.

    Raises
    ------
    ArtefactError
        Scores differ by more than `TOLERANCE`, a row that is not finite is an inlier or has a
        score, or decisions do not follow from scores.
    """
    want = reference(rows).astype(np.float64)
    scores, decisions = run(rows)
    n_rows = len(rows)
    if (scores.shape, decisions.shape) != ((n_rows,), (n_rows,)):
        raise ArtefactError(f"The exported graph makes {scores.shape} scores of {n_rows} rows.")
    bad = np.isnan(want)
    if not np.isnan(scores[bad]).all() or np.isnan(scores[~bad]).any():
        raise ArtefactError(
            "The exported graph does not tell finite rows from others: its scores are NaN for "
            f"{np.flatnonzero(np.isnan(scores)).tolist()}, the detector's for "
            f"{np.flatnonzero(bad).tolist()} of {n_rows} rows compared."
        )
    _check_decisions(scores, decisions, threshold)
    with np.errstate(over="ignore"):
        differences = np.abs(scores - want)[~bad] / np.maximum(1.0, np.abs(want[~bad]))
    largest = float(np.max(differences, initial=0.0))
    if not largest <= TOLERANCE:
        raise ArtefactError(
            f"The exported graph's scores differ from the detector's by up to {largest:.2g} of "
            f"max(1, |score|), more than {TOLERANCE:g}, in "
            f"{np.count_nonzero(differences > TOLERANCE)} of {n_rows} rows compared."
        )
    return largest


def check_at_threshold(
    run: Callable[[FloatArray], Outputs], threshold: float, rows: FloatArray
) -> int:
    """Look for rows whose score in the exported graph *is* the threshold: they are inliers.

    Scores along the line from an inlier to an outlier pass the threshold; where steps are finer
    than a score's last digit, some are equal to it.

    Parameters
    ----------
    run, threshold
        As for `compare`.
    rows
        Finite ones.

    Returns
    -------
    How many were found; 0 where the threshold lies outside the scores of `rows`, or between two
    neighbours of those scores that rounding leaves.

    Raises
    ------
    ArtefactError
        They are outliers.
    """
    scores, _ = run(rows)
    limit = in_precision_of(scores, threshold)
    below, above = np.flatnonzero(scores <= limit), np.flatnonzero(scores > limit)
    if not (len(below) and len(above)):
        return 0
    # The nearest on either side: the fewest digits are lost on the way.
    start = rows[below[np.argmax(scores[below])]]
    way = rows[above[np.argmin(scores[above])]] - start
    low, high = 0.0, 1.0
    for _ in range(_ROUNDS):
        steps = np.linspace(low, high, _POINTS)
        line = start + steps.reshape(-1, *[1] * start.ndim) * way
        scores, decisions = run(line)
        _check_decisions(scores, decisions, threshold)
        if n_equal := np.count_nonzero(scores == limit):
            return int(n_equal)
        crossing = np.flatnonzero(np.diff(scores > limit))
        low = steps[max(crossing[0] - _MARGIN, 0)]
        high = steps[min(crossing[-1] + 1 + _MARGIN, _POINTS - 1)]
    return 0


def _check_decisions(scores: FloatArray, decisions: Array, threshold: float) -> None:
    follow = is_outlier(scores, threshold)
    if not np.array_equal(decisions, follow):
        wrong = np.flatnonzero(decisions != follow)[:5]
        raise ArtefactError(
            f"The exported graph's decisions do not follow from its scores: {decisions[wrong]} "
            f"for scores {scores[wrong]} and threshold {threshold!r}."
        )
