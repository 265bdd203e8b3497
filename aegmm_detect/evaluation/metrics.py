"""How good are scores, and how good are decisions? The anomaly, y = 1, is the positive class.

A decision is a number in [0, 1] per row: 1 flagged, 0 not, and in between where rows that score
alike share fewer flags than there are of them (see `rules.flag_top`). Counts of such decisions are
expectations over all ways to break the ties.
"""

from typing import Any

import numpy as np
from sklearn import metrics

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.types import Array, FloatArray

# In the order of tables. All are in [0, 1], higher is better.
METRICS = ("precision", "recall", "f1", "auroc", "ap")


def check_scores(scores: Any, n_rows: int) -> FloatArray:
    """`scores` as float64 (N,), every one of them finite.

    A NaN compares false with every threshold, so it would count as an inlier in silence.

    Raises
    ------
    InvalidInputError
        Another shape, NaN or infinity.
    """
    checked = np.asarray(scores, dtype=np.float64)
    if checked.shape != (n_rows,):
        raise InvalidInputError(
            f"scores have shape {checked.shape}: one number for each of {n_rows} rows is needed."
        )
    bad = np.flatnonzero(~np.isfinite(checked))
    if len(bad):
        raise InvalidInputError(
            f"{len(bad)} of {n_rows} scores are NaN or infinite, the first in row {bad[0]}: "
            "a model that cannot score a row has no place in a ranking."
        )
    return checked


def precision_recall_f1(y: Array, flagged: Array) -> dict[str, float]:
    """Precision, recall and F1 at given decisions; 0 where nothing is flagged or to be found.

    Parameters
    ----------
    y
        Labels (N,), 1 anomaly, 0 normal.
    flagged
        Decisions (N,), in [0, 1].

    Returns
    -------
    precision, recall, f1.
    """
    flags = np.asarray(flagged, dtype=np.float64)
    hits, n_flagged, n_anomalies = float(flags[y == 1].sum()), float(flags.sum()), int(np.sum(y))
    return {
        "precision": hits / n_flagged if n_flagged else 0.0,
        "recall": hits / n_anomalies if n_anomalies else 0.0,
        "f1": 2.0 * hits / (n_flagged + n_anomalies) if n_flagged + n_anomalies else 0.0,
    }


def ranking(y: Array, scores: Array) -> dict[str, float]:
    """Area under the ROC curve, and average precision, of scores.

    Parameters
    ----------
    y
        Labels (N,), of both classes.
    scores
        Finite scores (N,), higher is stranger.

    Returns
    -------
    auroc, ap.

    Raises
    ------
    InvalidInputError
        Scores that are not finite; labels of one class only.
    """
    checked = check_scores(scores, len(y))
    if len(np.unique(y)) < 2:
        raise InvalidInputError("All rows have the same label: no ranking can be judged by them.")
    return {
        "auroc": float(metrics.roc_auc_score(y, checked)),
        "ap": float(metrics.average_precision_score(y, checked)),
    }


def recall_by_kind(y: Array, flagged: Array, kinds: Array) -> dict[str, dict[str, float]]:
    """Which anomalies are found?

    Parameters
    ----------
    y
        Labels (N,).
    flagged
        Decisions (N,), in [0, 1].
    kinds
        Name of each row's kind (N,); kinds of normal rows are left out.

    Returns
    -------
    Kind of anomaly -> recall, and rows of it.
    """
    anomalous = np.asarray(y) == 1
    names, kind_of = np.unique(np.asarray(kinds)[anomalous], return_inverse=True)
    n_rows = np.bincount(kind_of, minlength=len(names))
    n_found = np.bincount(kind_of, np.asarray(flagged)[anomalous], minlength=len(names))
    return {
        str(name): {"recall": float(found / rows), "rows": int(rows)}
        for name, found, rows in zip(names, n_found, n_rows, strict=True)
    }


def evaluate(y: Array, scores: Array, flagged: Array) -> dict[str, float]:
    """All of `METRICS`.

    Raises
    ------
    InvalidInputError
        As in `ranking`.
    """
    return precision_recall_f1(y, flagged) | ranking(y, scores)
