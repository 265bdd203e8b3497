"""How a protocol turns scores into decisions.

Each rule says in its docstring what it looks at that no user would have: labels of the test rows,
or their number of anomalies.
"""

import dataclasses
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from aegmm_detect.evaluation.metrics import precision_recall_f1
from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.numerics.thresholds import percentile
from aegmm_detect.types import Array, FloatArray

_EMPTY = np.empty(0)


class Scored(NamedTuple):
    """Everything that a rule may look at; what it has no use for is empty."""

    test: FloatArray  # (N,)
    n_anomalies: int  # among the test rows
    train: FloatArray = _EMPTY  # (M,)
    labelled: FloatArray = _EMPTY  # (L,)  rows apart from the test, whose labels are known
    y_labelled: Array = _EMPTY  # (L,)


class Rule(Protocol):
    """Scores -> decisions."""

    reads_train: ClassVar[bool]  # whether training rows have to be scored, too

    def decide(self, scored: Scored, /) -> FloatArray:
        """Decisions (N,) on the test rows, in [0, 1]."""


def flag_top(scores: Array, count: int) -> FloatArray:
    """Flag the `count` rows that score highest.

    Rows that tie at the border share what is left of `count` evenly: 3 flags for 4 such rows are
    0.75 each. This is the expectation over a random order of them, so it depends on no order of
    rows, and exactly `count` flags are given.

    Parameters
    ----------
    scores
        Scores (N,), higher is stranger.
    count
        From 0 to N.

    Returns
    -------
    Decisions (N,), in [0, 1], with sum `count`.

    Raises
    ------
    InvalidInputError
        `count` is not from 0 to N.
    """
    scores = np.asarray(scores)
    if not 0 <= count <= len(scores):
        raise InvalidInputError(f"{count} of {len(scores)} rows cannot be flagged.")
    if count == 0:
        return np.zeros(len(scores))
    border = np.partition(scores, len(scores) - count)[len(scores) - count]
    above, tied = scores > border, scores == border
    return above + tied * ((count - above.sum()) / tied.sum())


def flag_above(scores: Array, threshold: float) -> FloatArray:
    """Flag the rows above `threshold`, not those at it: decisions (N,), 0 or 1."""
    return (np.asarray(scores) > threshold).astype(np.float64)


@dataclasses.dataclass(frozen=True)
class TopShare:
    """Flag a given share of the test rows: the DAGMM paper's rule.

    Looks at all test rows at once; the share is a guess of how many anomalies there are.
    """

    ratio: float
    reads_train: ClassVar[bool] = False

    def decide(self, scored: Scored) -> FloatArray:
        """Decisions (N,)."""
        return flag_top(scored.test, round(self.ratio * len(scored.test)))


@dataclasses.dataclass(frozen=True)
class OracleCount:
    """Flag exactly as many test rows as are anomalies, so that precision = recall = F1.

    Looks at how many test rows are anomalies.
    """

    reads_train: ClassVar[bool] = False

    def decide(self, scored: Scored) -> FloatArray:
        """Decisions (N,)."""
        return flag_top(scored.test, scored.n_anomalies)


@dataclasses.dataclass(frozen=True)
class UnionPercentile:
    """Threshold at a percentile of the scores of training and test rows together.

    Looks at all test rows at once; the percentile is a guess of how many anomalies there are. For
    a model that scores training rows below what it would give them unseen, it comes out low.
    """

    ratio: float
    reads_train: ClassVar[bool] = True

    def decide(self, scored: Scored) -> FloatArray:
        """Decisions (N,)."""
        union = np.concatenate([scored.train, scored.test])
        return flag_above(scored.test, percentile(union, 100.0 * (1.0 - self.ratio)))


@dataclasses.dataclass(frozen=True)
class BestF1Percentile:
    """Threshold with the best F1 on labelled rows that are not in the test set.

    Candidates are `points` percentiles of the labelled rows' scores, within `width` of the one
    that their own share of anomalies suggests. The lowest of equally good ones is taken.

    Looks at labels, but of no test row.
    """

    width: float = 5.0
    points: int = 100
    reads_train: ClassVar[bool] = False

    def decide(self, scored: Scored) -> FloatArray:
        """Decisions (N,)."""
        return flag_above(scored.test, self.threshold(scored.labelled, scored.y_labelled))

    def threshold(self, scores: Array, y: Array) -> float:
        """The chosen one, from scores (L,) and labels (L,) of the labelled rows.

        Raises
        ------
        InvalidInputError
            No labelled row is an anomaly.
        """
        if not np.any(y):
            raise InvalidInputError(
                f"None of the {len(y)} labelled rows is an anomaly, so no threshold has an F1: "
                "the data set is too small for this protocol."
            )
        centre = 100.0 * (1.0 - np.mean(y))
        percs = np.clip(
            np.linspace(centre - self.width, centre + self.width, self.points), 0.0, 100.0
        )
        candidates = np.percentile(scores, percs)
        f1 = [precision_recall_f1(y, flag_above(scores, t))["f1"] for t in candidates]
        return float(candidates[int(np.argmax(f1))])
