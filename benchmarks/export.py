"""How fast is the light scorer, beside the compiled scorer of the detector it was exported from?

python -m benchmarks.export [--quick] [--out benchmarks/results/export.json]

Needs the extras ``onnx`` and ``litert``, and Linux's ``/proc`` for the memory. Calls take turns in
one process; starts, each in a fresh process.
"""

import argparse
import dataclasses
import datetime
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from aegmm_detect.evaluation.environment import describe, load_average
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.scoring import Scorer
from benchmarks.protocol import OURS, QUICK, ROOT, Sizes, Turns, in_fresh_process, ratio, raw, say
from benchmarks.subject import fitted_detector, make_rows

FORMATS = ("onnx", "litert")
# Loading and the first row, with the memory that the process then holds.
_START = """
import sys, time
start = time.perf_counter()
import numpy as np
if sys.argv[1] == "tensorflow":
    import tensorflow
else:
    from aegmm_detect.scoring import Scorer
    Scorer(sys.argv[1], trusted=True).score(np.zeros((1, int(sys.argv[2])), np.float32))
seconds = time.perf_counter() - start
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(f"[{seconds}, {int(peak.split()[1]) * 1024}]")
"""


def fitted_auto(n_features: int) -> OutlierAEGMM:
    """The recipe's nets and mixtures after the cheapest of fits."""
    detector = OutlierAEGMM.auto(n_features, threshold=0.0, seed=0)
    detector.fit(make_rows(4096, n_features), epochs=1, verbose=0, jit_compile=False)
    return detector


def measure(kind: str, n_features: int, sizes: Sizes, folder: Path) -> dict[str, Any]:
    """One detector."""
    say(f"export: {kind}, {n_features} features")
    detector = fitted_auto(n_features) if kind == "auto" else fitted_detector(n_features)
    scorers: dict[str, Any] = {OURS: detector}
    difference = {}
    for name in FORMATS:
        path = folder / f"{kind}-{n_features}-{name}"
        detector.export(path, name, X=make_rows(1024, n_features, seed=2))
        scorers[name] = Scorer(path)
    rows = make_rows(sizes.score_rows, n_features, seed=1)
    want = detector.score(rows)
    many, one = ({name: Turns(n) for name in scorers} for n in (len(rows), 1))
    for name in FORMATS:
        got = scorers[name].score(rows)
        difference[name] = float((np.abs(got - want) / np.maximum(1.0, np.abs(want))).max())
    for _ in range(sizes.rounds):
        for name, scorer in scorers.items():
            many[name].take(lambda scorer=scorer: scorer.score(rows))
    for scorer in scorers.values():
        scorer.score(rows[:1])
    for _ in range(sizes.latency_calls):
        for name, scorer in scorers.items():
            one[name].take(lambda scorer=scorer: scorer.score(rows[:1]))
    return {
        "detector": kind,
        "features": n_features,
        "rows": len(rows),
        "rows_per_second": {name: 1.0 / turns.each for name, turns in many.items()},
        "one_row_seconds": {name: turns.each for name, turns in one.items()},
        "rate_to_compiled": {name: ratio(many[OURS], many[name]) for name in FORMATS},
        "one_row_time_to_compiled": {name: one[name].each / one[OURS].each for name in FORMATS},
        "largest_relative_difference": difference,
        "turns": {"many rows": raw(many), "one row": raw(one)},
    }


def startup(sizes: Sizes, folder: Path) -> dict[str, Any]:
    """Seconds and peak memory from nothing to the first score; `import tensorflow` beside it."""
    n_features = sizes.features[0]
    starts = {name: folder / f"nets-{n_features}-{name}" for name in FORMATS}
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in (*starts, "tensorflow")}
    for i in range(sizes.fresh_processes + 1):  # the first fills the file cache
        say(f"export: start {i} of {sizes.fresh_processes}")
        for name, kept in found.items():
            kept.append(in_fresh_process(_START, starts.get(name, name), n_features))
    return {
        name: {
            "seconds": float(np.median([seconds for seconds, _ in kept[1:]])),
            "peak_bytes": float(np.median([peak for _, peak in kept[1:]])),
            "all": kept[1:],
        }
        for name, kept in found.items()
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.export", description="Measure the light scorer."
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "export.json")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sizes = QUICK if options.quick else dataclasses.replace(Sizes(), features=(18,))
    load = load_average()
    with tempfile.TemporaryDirectory() as folder:
        cases = [
            measure(kind, n_features, sizes, Path(folder))
            for n_features in sizes.features
            for kind in ("nets", "auto")
        ]
        starts = startup(sizes, Path(folder))
    result = {
        "quick": options.quick,
        "date": datetime.date.today().isoformat(),
        "environment": describe(),
        "load_average": {"before": load, "after": load_average()},
        "sizes": dataclasses.asdict(sizes),
        "cases": cases,
        "startup": starts,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for case in cases:
        for name in FORMATS:
            rate, one = case["rate_to_compiled"][name], case["one_row_time_to_compiled"][name]
            print(
                f"{case['detector']}, {case['features']} features, {name}: "
                f"{case['rows_per_second'][name]:,.0f} rows/s, {rate['value']:.2f} "
                f"({rate['lowest']:.2f} to {rate['highest']:.2f}) times the compiled scorer; one "
                f"row in {1e3 * case['one_row_seconds'][name]:.3f} ms, {one:.2f} of its time"
            )
    for name, start in starts.items():
        print(f"{name}: {start['seconds']:.2f} s, {start['peak_bytes'] / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
