"""
A CSV file of your own
======================

Is this detector any good on *your* rows, or does something simpler do as well? One command compares
it with five simple methods and its own untrained nets on a labelled file::

    python examples/own_csv.py my.csv --target label --anomaly 1

Reading CSV needs pandas, and the picture matplotlib: ``pip install "aegmm_detect[data,plot]"``.
"""

# %%
# What to say about the file
# --------------------------
#
# Which column holds the labels, which of its values are anomalies (or which are not), and which
# columns are no features. All defaults suit the file that is written below if none is given.

import argparse
import logging
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own messages: errors only

import matplotlib
import numpy as np

from aegmm_detect import evaluation
from aegmm_detect.datasets import from_file, load_thyroid

matplotlib.use("Agg")  # a file, not a window
import matplotlib.pyplot as plt

# TensorFlow warns of "retracing" where many detectors are trained: each compiles its own program.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

parser = argparse.ArgumentParser(description="Compare detectors on a CSV file with labels.")
parser.add_argument("csv", nargs="?", type=Path, help="default: a small file, written for you")
parser.add_argument("--target", default="label", help="column of the labels (label)")
which = parser.add_mutually_exclusive_group()
which.add_argument("--anomaly", nargs="+", help="labels that are anomalies (1, of 0 and 1)")
which.add_argument("--normal", nargs="+", help="instead: the labels that are none")
parser.add_argument("--drop", nargs="+", default=[], help="columns to leave out, such as names")
parser.add_argument("--one-hot", action="store_true", help="turn columns of text into dummies")
parser.add_argument("--protocol", default="B", choices=evaluation.PROTOCOLS)
parser.add_argument("--runs", type=int, default=3, help="splits, each with seeds of its own (3)")
parser.add_argument("--seed", type=int, default=0, help="of the first run (0)")
parser.add_argument("--keep-copies", action="store_true", help="keep rows that repeat another")
parser.add_argument("--results", type=Path, help="JSON file of the runs; goes on where it ends")
parser.add_argument("--out", type=Path, default=Path(sys.argv[0]).with_suffix(".png"))
args = parser.parse_args()

# %%
# The file
# --------
#
# Columns that do not hold numbers, missing labels, lines that are too long and the like are errors
# that say what to do. Without a file, 1,000 rows of the thyroid data, all 93 anomalies among them,
# are written to a temporary folder as a spreadsheet would export them, and read from there.


def write_example(path):
    thyroid = load_thyroid()
    anomalies, normal = (np.flatnonzero(thyroid.y == label) for label in (1, 0))
    drawn = np.random.default_rng(0).choice(normal, 1000 - len(anomalies), replace=False)
    rows = np.sort(np.concatenate([anomalies, drawn]))
    table = np.column_stack([thyroid.X[rows], thyroid.y[rows]])
    header = ",".join([*thyroid.feature_names, "label"])
    np.savetxt(path, table, fmt="%.9g", delimiter=",", header=header, comments="")
    return path


with tempfile.TemporaryDirectory() as folder:
    data = from_file(
        args.csv or write_example(Path(folder, "thyroid-1000.csv")),
        target=args.target,
        anomaly=args.anomaly,
        normal=args.normal,
        drop=args.drop,
        one_hot=args.one_hot,
    )
print(
    f"{data.name}: {len(data.X):,} rows of {data.X.shape[1]} numbers, {data.y.sum():,} of them "
    f"anomalies ({data.anomaly})"
)

# %%
# The runs
# --------
#
# Protocol B trains on a random half of the normal rows and tests on all others. As many test rows
# are called outliers as there are anomalies among them, so precision, recall and F1 are one number.
# It uses labels that nobody has in earnest; AUROC and AP (average precision) need no threshold.
# The other protocols are in :mod:`aegmm_detect.evaluation`.
#
# Rows that repeat another one are left out, so that no test row has been trained on, and so are
# rows that are there under both labels. In every run all contenders see the same rows, and each
# learns its scaling from its training rows alone. Nothing is tuned to the file: ``auto`` is told
# the number of columns, and the simple methods have fixed settings. One that fails is reported.

OURS = "ours"
contenders = {OURS: evaluation.auto(), **evaluation.BASELINES}


def show(record, done, total):
    outcome = record["failure"] or "F1 {f1:.3f}  AUROC {auroc:.3f}".format(**record["metrics"])
    print(f"[{done:2d}/{total}] seed {record['model_seed']}  {record['contender']:12s} {outcome}")


with tempfile.TemporaryDirectory() as folder:
    result = evaluation.run(
        data,
        args.protocol,
        contenders,
        args.results or Path(folder, "results.json"),
        n_runs=args.runs,
        seed=args.seed,
        dedup=not args.keep_copies,
        reference=OURS,
        progress=show,
    )
summary = result["summary"]
sizes = result["runs"][0]["sizes"]
print(
    f"\nProtocol {args.protocol}, {result['dataset']['rows']:,} rows used. First run: "
    f"{sizes['train']:,} rows to train on, {sizes['test']:,} to test on, "
    f"{sizes['test_anomalies']:,} of them anomalies"
)

# %%
# The table
# ---------
#
# Above, the mean over runs, its standard deviation, and the standard error of the mean in brackets.
# Below, differences to ours, run by run on the same rows, with their standard error: the fair
# comparison, because what an easy or a hard split does to both of two methods cancels out.

METRICS = {"f1": "F1", "auroc": "AUROC", "ap": "AP"}


def number(value, sign=""):
    return "--" if value is None else f"{value:{sign}.3f}"


def table(cell):
    print(f"{'':13s}{''.join(f'{title:>24s}' for title in METRICS.values())}   runs")
    for name, row in summary.items():
        cells = "".join(f"{cell(row, metric):>24s}" for metric in METRICS)
        failed = f", {row['failed']} failed" if row["failed"] else ""
        print(f"{name:13s}{cells}{row['finished']:7d}{failed}")


def mean_and_spread(row, metric):
    found = row["metrics"][metric]
    return f"{number(found['mean'])} +- {number(found['sd'])} ({number(found['se'])})"


def difference(row, metric):
    if "minus_reference" not in row:
        return "--"
    found = row["minus_reference"][metric]
    return f"{number(found['mean'], '+')} ({number(found['se'])})"


print("\nMean +- standard deviation (standard error)")
table(mean_and_spread)
print(f"\nMinus {OURS} (standard error)")
table(difference)

# %%
# Who is best?
# ------------
#
# Whoever has the best mean, ours or not. A lead of less than about two standard errors may well be
# chance, and with three runs the standard error is itself a rough guess: take ``--runs 20`` before
# you decide anything. Even then it tells about other splits of *these* rows, not about new ones.

finished = {name: row for name, row in summary.items() if row["finished"]}
if not finished:
    sys.exit("No contender finished: the lines above say why.")
print()
for metric, title in METRICS.items():
    means = {name: row["metrics"][metric]["mean"] for name, row in finished.items()}
    best, *others = sorted(means, key=lambda name: -means[name])
    tied = [name for name in others if means[name] == means[best]]
    verdict = f"Best {title}: {', '.join([best, *tied])}"
    # Ours is compared with the next best one, and any other with ours.
    rival = others[0] if best == OURS and others else OURS
    pairs = finished[rival if best == OURS else best].get("minus_reference", {metric: {"n": 0}})
    if pairs[metric]["n"] and not tied:
        lead, se = abs(pairs[metric]["mean"]), pairs[metric]["se"]
        verdict += f", {lead:.3f} ahead of {rival}"
        if se is None:
            verdict += " in a single run, which says little"
        elif lead < 2 * se:
            verdict += ", less than two standard errors: perhaps by chance"
    print(f"{verdict}.")

# %%
# Every run is a dot, every mean a line.

figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
for axis, (metric, title) in zip(axes, METRICS.items(), strict=True):
    for place, name in enumerate(finished):
        color = "tab:red" if name == OURS else "tab:blue"
        values = [
            run["metrics"][metric]
            for run in result["runs"]
            if run["contender"] == name and run["failure"] is None
        ]
        axis.plot(values, [place] * len(values), "o", color=color, alpha=0.5)
        axis.plot(np.mean(values), place, "|", color=color, markersize=18, markeredgewidth=2)
    axis.set(xlabel=title)
    axis.grid(axis="x", alpha=0.3)
    axis.locator_params(axis="x", nbins=4)
axes[0].set_yticks(range(len(finished)), list(finished))
axes[0].invert_yaxis()
figure.suptitle(f"{data.name}, protocol {args.protocol}, {args.runs} runs")
figure.savefig(args.out, dpi=90)
print(f"Picture: {os.path.relpath(args.out)}")
