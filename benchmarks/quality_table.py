"""Write the documentation's tables of quality from the files of results.

python -m benchmarks.quality_table benchmarks/results/quality/*.json > docs/generated/quality.rst
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aegmm_detect.evaluation import BASELINES
from aegmm_detect.evaluation.metrics import METRICS
from aegmm_detect.evaluation.summary import summarise
from benchmarks.protocol import ROOT
from benchmarks.quality import OURS, PAPER_RATIO, RELATIVES, TOLD
from benchmarks.table import list_table

PUBLISHED = ROOT / "benchmarks" / "published.json"

PROTOCOL_TEXT = {
    "A": "trained on the normal rows of a random half of all rows; the other half is the test; "
    "{ratio} of the test rows are flagged, those that score highest",
    "B": "trained on a random half of the normal rows; all other rows are the test; as many are "
    "flagged as are anomalies",
    "B-fix": "trained on the first half of the normal rows in the order of the file, so that runs "
    "differ in the model's seed only; all other rows are the test; as many are flagged as are "
    "anomalies",
    "C": "trained on a random half of the normal rows; all other rows are the test; flagged is "
    "what lies above a percentile of training and test scores together ({ratio} of all)",
    "D": "trained on a random half of the normal rows; the threshold is that of best F1 on a "
    "labelled fifth of the other rows; the rest of them are the test",
}
TITLES = {"precision": "precision", "recall": "recall", "f1": "F1", "auroc": "AUROC", "ap": "AP"}


def percent(found: dict[str, Any]) -> str:
    """Mean and standard deviation."""
    if found["mean"] is None:
        return "--"
    mean = f"{100 * found['mean']:.1f}"
    return mean if found["sd"] is None else f"{mean} ± {100 * found['sd']:.1f}"


def points(value: float | None) -> str:
    return "--" if value is None else f"{100 * value:.1f}"


def departures(result: dict[str, Any]) -> str:
    """From the protocol, in words."""
    options = result["options"]
    marks = [
        f"{100 * options['rho']:g} % anomalies in training" if options["rho"] else "",
        f"{100 * options['holdout']:g} % of anomalies held out" if options["holdout"] else "",
        f"at most {options['max_train']:,} training rows" if options["max_train"] else "",
        "distinct rows only" if options["dedup"] else "",
        "one split, several seeds" if options["fixed_split"] else "",
    ]
    return ", ".join(mark for mark in marks if mark)


def heading(result: dict[str, Any]) -> str:
    title = f"{result['dataset']['name']}, protocol {result['protocol']}"
    title += f" ({departures(result)})" if departures(result) else ""
    return f"{title}\n{'~' * len(title)}"


def about(result: dict[str, Any]) -> str:
    data, sizes = result["dataset"], result["runs"][0]["sizes"]
    ratio = result["options"]["ratio"]
    shown = "their true share" if ratio is None else f"{100 * ratio:g} %"
    rows = f"{data['rows']:,} rows of {data['features']} numbers"
    if data["rows"] < data["rows_before_dedup"]:
        rows += f", distinct ones of {data['rows_before_dedup']:,}"
    text = PROTOCOL_TEXT[result["protocol"]].format(ratio=shown)
    return (
        f"{rows}, {data['anomalies']:,} of them anomalies: {data['anomaly']}. "
        f"{text[:1].upper()}{text[1:]}. In the first run: {sizes['train']:,} training rows, "
        f"{sizes['train_anomalies']} of them anomalies, and {sizes['test']:,} test rows, "
        f"{sizes['test_anomalies']:,} of them anomalies; {sizes['test_equal_to_train']:,} of the "
        "test rows have the same numbers as a training row, because such rows repeat in the data."
    )


def comparable(result: dict[str, Any], published: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Published numbers for the same data and protocol; none where we depart from it."""
    options = result["options"]
    same = (result["dataset"]["name"], result["protocol"])
    ratio = PAPER_RATIO.get(same[0]) if same[1] == "A" else None
    if departures(result) or options["ratio"] != ratio:
        return []
    return [entry for entry in published if (entry["dataset"], entry["protocol"]) == same]


def by_table_order(names: set[str]) -> list[str]:
    """Ours, then the baselines in their order, then others."""
    order = [OURS, TOLD, *BASELINES]
    return sorted(names, key=lambda n: (order.index(n) if n in order else len(order), n))


def minus_reference(row: dict[str, Any]) -> str:
    """Difference of F1, with its standard error where there are several runs."""
    difference = row.get("minus_reference", {}).get("f1", {"mean": None})
    if difference["mean"] is None:
        return "--"
    error = "" if difference["se"] is None else f" ({points(difference['se'])})"
    return f"{100 * difference['mean']:+.1f}{error}"


def counted(row: dict[str, Any]) -> str:
    """Numbers of runs."""
    return f"{row['finished']}" + (f", {row['failed']} failed" if row["failed"] else "")


def measured_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    names = by_table_order({run["contender"] for run in result["runs"]} - set(RELATIVES))
    summary = summarise(result["runs"], names, OURS if OURS in names else None)
    compared = len(names) > 1 and len({row["finished"] for row in summary.values()}) == 1
    best = max(names, key=lambda name: summary[name]["metrics"]["f1"]["mean"] or 0.0)
    rows = []
    for name, row in summary.items():
        rows.append(
            (
                f"**{name}** (best F1)" if compared and name == best else name,
                *(percent(row["metrics"][metric]) for metric in METRICS),
                points(row["metrics"]["f1"]["se"]),
                minus_reference(row),
                counted(row),
            )
        )
    return rows


def published_rows(entries: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    rows = []
    for entry in entries:
        f1 = points(entry["f1"]) + (f" ± {points(entry['f1_sd'])}" if "f1_sd" in entry else "")
        found = {**entry, "f1": None}
        cells = (f1 if m == "f1" else points(found.get(m)) for m in METRICS)
        note = f"; {entry['note']}" if "note" in entry else ""
        label = f"*{entry['method']}* [{entry['source']}{note}]"
        rows.append((label, *cells, "--", "--", str(entry.get("runs", "not stated"))))
    return rows


def render(results: Sequence[dict[str, Any]], published: Sequence[dict[str, Any]]) -> str:
    """The whole text, reStructuredText."""
    header = ("detector", *TITLES.values(), "s.e. of F1", f"F1 minus {OURS} (s.e.)", "runs")
    parts = [
        "In %, mean ± standard deviation over runs; the standard error (s.e.) is that of the mean. "
        "Differences are taken run by run on the same split. Rows in italics are published numbers "
        "under the same protocol, as their authors state them; nothing of theirs was run here. "
        "The share of anomalies in the test set differs between protocols, and F1 and AP with it: "
        "compare within one table only."
    ]
    for result in results:
        if all(run["contender"] in RELATIVES for run in result["runs"]):
            continue  # see `family_table`
        rows = [*measured_rows(result), *published_rows(comparable(result, published))]
        parts += [heading(result), about(result), list_table(header, rows)]
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_table", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    results = [json.loads(path.read_text(encoding="utf-8")) for path in options.results]
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    print(render(results, published), end="")


if __name__ == "__main__":
    main()
