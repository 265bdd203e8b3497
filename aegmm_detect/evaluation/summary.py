"""Many runs -> what to print: means with their spread, and differences of paired runs.

The standard error is that of independent runs. Runs here share data, their splits overlap, so the
true error for another sample of the same size is larger; it is what chance in splits and seeds
contributes.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from aegmm_detect.evaluation.metrics import METRICS

Run = dict[str, Any]


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation (N - 1) and standard error of the mean of N numbers.

    Returns
    -------
    n, mean, sd, se; None where there are too few numbers.
    """
    n = len(values)
    sd = float(np.std(values, ddof=1)) if n > 1 else None
    return {
        "n": n,
        "mean": float(np.mean(values)) if n else None,
        "sd": sd,
        "se": None if sd is None else sd / math.sqrt(n),
    }


def paired_differences(runs: Iterable[Run], others: Iterable[Run]) -> dict[str, dict[str, Any]]:
    """Metrics of `runs` minus those of `others`, run by run with the same seeds.

    Both saw the same split, so what the split does to both of them cancels out, and the standard
    error is smaller than that of two separate means.

    Returns
    -------
    Metric -> n, mean, sd, se of the differences, over the seeds that both finished.
    """
    theirs = {_seeds(run): run["metrics"] for run in others if run["failure"] is None}
    pairs = [
        (run["metrics"], theirs[_seeds(run)])
        for run in runs
        if run["failure"] is None and _seeds(run) in theirs
    ]
    return {name: spread([ours[name] - other[name] for ours, other in pairs]) for name in METRICS}


def summarise(
    runs: Sequence[Run], contenders: Iterable[str], reference: str | None = None
) -> dict[str, dict[str, Any]]:
    """Summary by contender.

    Parameters
    ----------
    runs
        As in a file of results.
    contenders
        Names, in the order wanted.
    reference
        The contender from which the paired differences are taken; None for none.

    Returns
    -------
    Contender -> finished, failed, metrics (name -> spread), recall_by_kind (kind -> spread) if
    the data has kinds, fit_seconds, score_seconds, and minus_reference (metric -> spread).
    """
    by_name = {name: [run for run in runs if run["contender"] == name] for name in contenders}
    summary = {}
    for name, mine in by_name.items():
        finished = [run for run in mine if run["failure"] is None]
        row: dict[str, Any] = {
            "finished": len(finished),
            "failed": len(mine) - len(finished),
            "metrics": {m: spread([run["metrics"][m] for run in finished]) for m in METRICS},
        }
        kinds = sorted({kind for run in finished for kind in run.get("recall_by_kind") or ()})
        if kinds:
            row["recall_by_kind"] = {kind: spread(_recalls(finished, kind)) for kind in kinds}
        for clock in ("fit_seconds", "score_seconds"):
            row[clock] = spread([run[clock] for run in finished])
        if reference in by_name and name != reference:
            row["minus_reference"] = paired_differences(mine, by_name[reference])
        summary[name] = row
    return summary


def _recalls(runs: Iterable[Run], kind: str) -> list[float]:
    found = (run["recall_by_kind"].get(kind) for run in runs)
    return [entry["recall"] for entry in found if entry is not None]


def _seeds(run: Run) -> tuple[int, int]:
    return run["split_seed"], run["model_seed"]
