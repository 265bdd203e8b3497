"""Run the benchmarks and write every time that was taken, with medians and ratios, as JSON.

python -m benchmarks.speed [--quick] [--only NAME ...] [--out benchmarks/results/speed.json]
"""

import argparse
import dataclasses
import datetime
import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

from aegmm_detect.evaluation.environment import describe, load_average
from benchmarks.protocol import QUICK, ROOT, Sizes, say

# Modules with `run(sizes)`; imported when it is their turn, as most of them need TensorFlow.
NAMES = ("startup", "first_fit", "train", "score", "latency", "memory", "reuse")


def run(name: str, sizes: Sizes) -> dict[str, Any]:
    """One benchmark."""
    module = importlib.import_module(f"benchmarks.{name}")
    load_before, start = load_average(), time.perf_counter()
    cases = module.run(sizes)
    return {
        "date": datetime.date.today().isoformat(),
        "load_average": {"before": load_before, "after": load_average()},
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cases": cases,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description="Measure speed and memory; takes some 15 minutes on two cores.",
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES)
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "speed.json")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sizes = QUICK if options.quick else Sizes()
    result: dict[str, Any] = {
        "quick": options.quick,
        "environment": describe(),
        "sizes": dataclasses.asdict(sizes),
        "benchmarks": {},
    }
    if options.out.exists() and len(options.only) < len(NAMES):
        # A part is measured anew; what it stood beside stays, with its own load and time.
        earlier = json.loads(options.out.read_text(encoding="utf-8"))
        if earlier["quick"] == options.quick:
            result["benchmarks"] = earlier["benchmarks"]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if name in options.only:
            result["benchmarks"][name] = run(name, sizes)
            # After each of them, so that an interrupted run is not lost.
            options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    say(f"wrote {options.out}")


if __name__ == "__main__":
    main()
