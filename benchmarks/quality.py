"""How well are anomalies found? Our detector beside simple ones, under a published protocol.

    python -m benchmarks.quality --data thyroid --protocol A --runs 20

Writes benchmarks/results/quality/<data set>-<protocol>[-options].json after every single run; the
same command goes on where it was stopped. `python -m benchmarks.quality_table` makes the table.
"""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegmm_detect import datasets, registry
from aegmm_detect.evaluation import BASELINES, PROTOCOLS, SplitOptions, auto, run
from aegmm_detect.evaluation.contenders import Factory
from aegmm_detect.exceptions import AEGMMError
from benchmarks.protocol import ROOT, say

RESULTS = ROOT / "benchmarks" / "results" / "quality"
OURS = "ours"
# Ours, told the share of anomalies among its training rows; only where there are any.
TOLD = "ours-told"
# They have a table of their own. Detectors of classes need labels of classes, which are not there.
RELATIVES = sorted(set(registry.DETECTORS) - {"OutlierAEGMM", "PerClassAEGMM"})
# The shares that the DAGMM paper flags (Zong et al., 2018), round figures of the true ones.
PAPER_RATIO = {"thyroid": 0.025, "arrhythmia": 0.15, "kdd99": 0.2, "kdd99-rev": 0.2}


def contenders(names: list[str] | None, rho: float = 0.0) -> dict[str, Factory]:
    """By name: ours, the baselines, and any detector of the registry."""
    told = {TOLD: auto("OutlierAEGMM", contamination=rho)} if rho else {}
    known: Mapping[str, Factory] = {OURS: auto("OutlierAEGMM"), **told, **BASELINES}
    chosen = list(known) if names is None else names
    return {name: known[name] if name in known else auto(name) for name in chosen}


def file_name(data: str, protocol: str, given: Mapping[str, Any]) -> str:
    """Data set, protocol, and every departure from it."""
    marks = []
    for name, value in given.items():
        if value is True:
            marks.append(name.replace("_", ""))
        elif value:
            marks.append(f"{name.replace('_', '')}{value:g}")
    return "-".join([data, protocol, *marks]) + ".json"


def show(record: dict[str, Any], done: int, total: int) -> None:
    """One line per run."""
    if record["failure"] is None:
        found = record["metrics"]
        result = f"F1 {found['f1']:.3f}  AUROC {found['auroc']:.3f}  AP {found['ap']:.3f}"
        result += f"  fit {record['fit_seconds']:.1f} s"
    else:
        result = f"failed: {record['failure']}"
    say(f"[{done}/{total}] {record['contender']:12s} seed {record['model_seed']:3d}  {result}")


def parsed(pair: str) -> tuple[str, Any]:
    """'clean=false' -> ('clean', False); what is no JSON is text."""
    name, equals, text = pair.partition("=")
    if not equals:
        raise SystemExit(f"--load {pair}: write it as KEY=VALUE.")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description="Compare detectors on a data set under a protocol.",
    )
    parser.add_argument("--data", required=True, choices=datasets.available())
    parser.add_argument("--protocol", required=True, choices=PROTOCOLS)
    parser.add_argument("--runs", type=int, default=20, help="seeds per contender (20)")
    parser.add_argument("--seed", type=int, default=0, help="of the first run (0)")
    parser.add_argument(
        "--contenders",
        nargs="+",
        metavar="NAME",
        help=f"{OURS}, {', '.join(BASELINES)}, or one of {', '.join(registry.DETECTORS)}",
    )
    parser.add_argument("--rho", type=float, default=0.0, help="anomalies among training rows")
    parser.add_argument("--holdout", type=float, help="anomalies kept out of the test for rho")
    parser.add_argument("--max-train", type=int, help="most training rows")
    parser.add_argument("--ratio", type=float, help="share to flag (A: the paper's, C: the true)")
    parser.add_argument("--dedup", action="store_true", help="distinct rows only")
    parser.add_argument("--retry-failed", action="store_true", help="repeat runs that failed")
    parser.add_argument("--fixed-split", action="store_true", help="only model seeds differ")
    parser.add_argument(
        "--load", nargs="+", default=[], metavar="KEY=VALUE", help="for the loader: sample=twodays"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    args = parse(arguments)
    everything = [OURS, TOLD, *BASELINES, *RELATIVES, "OutlierAEGMM"]
    if unknown := set(args.contenders or ()) - set(everything):
        raise SystemExit(f"No contenders {sorted(unknown)}: choose from {', '.join(everything)}.")
    if TOLD in (args.contenders or ()) and not args.rho:
        raise SystemExit(f"{TOLD} needs --rho: there is nothing to tell.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    given = {"rho": args.rho, "holdout": args.holdout, "max_train": args.max_train}
    given["ratio"] = args.ratio
    options = SplitOptions.of(**given)
    # With other rows in the set, the paper's share is no longer its share.
    if args.protocol == "A" and args.ratio is None and not args.dedup:
        options = options.replace(ratio=PAPER_RATIO.get(args.data))
    data = datasets.load(args.data, **dict(map(parsed, args.load)))
    flags = {"dedup": args.dedup, "fixed_split": args.fixed_split}
    path = args.out / file_name(data.name, args.protocol, given | flags)
    chosen = contenders(args.contenders, args.rho)
    run(
        data,
        args.protocol,
        chosen,
        path,
        n_runs=args.runs,
        seed=args.seed,
        options=options,
        reference=OURS if OURS in chosen else None,
        progress=show,
        retry_failed=args.retry_failed,
        **flags,
    )
    say(f"wrote {path}")


if __name__ == "__main__":
    try:
        main()
    except AEGMMError as error:
        raise SystemExit(str(error)) from error
