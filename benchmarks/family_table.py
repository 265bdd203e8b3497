"""Write the documentation's table of the family, from the files that `benchmarks.quality` wrote.

python -m benchmarks.family_table benchmarks/results/quality/*.json > docs/generated/family.rst
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aegmm_detect.evaluation.metrics import METRICS
from aegmm_detect.evaluation.summary import summarise
from benchmarks.quality import OURS, RELATIVES, TOLD
from benchmarks.quality_table import (
    PUBLISHED,
    comparable,
    counted,
    departures,
    minus_reference,
    percent,
    points,
)
from benchmarks.table import list_table

NAMES = {OURS: "OutlierAEGMM", TOLD: "OutlierAEGMM, told the share"}


def title(result: dict[str, Any]) -> str:
    departing = f", {departures(result)}" if departures(result) else ""
    return f"{result['dataset']['name']} {result['protocol']}{departing}"


def shared_runs(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of the relatives, and of the others with the same seeds."""
    family = [run for run in result["runs"] if run["contender"] in RELATIVES]
    seeds = {(run["split_seed"], run["model_seed"]) for run in family}
    return [run for run in result["runs"] if (run["split_seed"], run["model_seed"]) in seeds]


def measured(results: Sequence[dict[str, Any]]) -> str:
    """A row for each detector and set."""
    rows = []
    for result in results:
        runs = shared_runs(result)
        there = {run["contender"] for run in runs}
        names = [name for name in (OURS, TOLD, "untrained", *RELATIVES) if name in there]
        summary = summarise(runs, names, OURS if OURS in names else None)
        for name, row in summary.items():
            metrics = (percent(row["metrics"][metric]) for metric in ("f1", "auroc", "ap"))
            rows.append(
                (title(result), NAMES.get(name, name), *metrics, minus_reference(row), counted(row))
            )
    header = ("set, protocol", "detector", "F1", "AUROC", "AP", "F1 minus OutlierAEGMM's", "runs")
    return list_table(header, rows)


def stated(results: Sequence[dict[str, Any]], published: Sequence[dict[str, Any]]) -> str:
    """What authors of variants have published, beside ours."""
    rows = []
    for result in results:
        there = {run["contender"] for run in result["runs"]} & set(RELATIVES)
        summary = summarise(result["runs"], sorted(there))
        for entry in comparable(result, published):
            if entry.get("variant") in summary:
                own = summary[entry["variant"]]["metrics"]
                theirs = " / ".join(points(entry.get(metric)) for metric in METRICS[:3])
                ours = " / ".join(percent(own[metric]) for metric in METRICS[:3])
                rows.append((title(result), f"{entry['method']} [{entry['source']}]", theirs, ours))
    if not rows:
        return ""
    return list_table(("set, protocol", "published", "precision / recall / F1", "ours"), rows)


def render(results: Sequence[dict[str, Any]], published: Sequence[dict[str, Any]]) -> str:
    """The whole text, reStructuredText."""
    known = [result for result in results if shared_runs(result)]
    return (
        "In %, mean ± standard deviation over runs; differences from ``OutlierAEGMM`` are taken "
        "run by run on the same splits, with their standard errors. All detectors are made by "
        f"``auto(n_features, seed=...)``.\n\n{measured(known)}\n\n{stated(known, published)}\n"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.family_table", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    results = [json.loads(path.read_text(encoding="utf-8")) for path in options.results]
    print(render(results, json.loads(PUBLISHED.read_text(encoding="utf-8"))), end="")


if __name__ == "__main__":
    main()
