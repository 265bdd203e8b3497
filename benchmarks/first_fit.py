"""How long does a user wait for the first `fit` of a process, compilers and all?

3,772 rows of 6 numbers, the size of the Thyroid data; fresh processes, in turns. The clock runs
from the call of `fit` to its end; imports and construction are before it.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.protocol import Sizes, in_fresh_process, say

EPOCHS, BATCH_SIZE = 20, 64  # the interface's defaults
HIDDEN = (12, 4)  # 6-12-4-1, the paper's nets for Thyroid
EAGER_STEPS = (10, 100)  # steps run in full, then steps whose rate stands for all others

_CODE = """
import json, sys
from benchmarks.first_fit import seconds
print(json.dumps(seconds(sys.argv[1])))
"""


def _auto(rows: Any) -> float:
    from aegmm_detect.od import OutlierAEGMM

    detector = OutlierAEGMM.auto(6, threshold=0.0)
    return _seconds(lambda: detector.fit(rows, verbose=0))


def _plain(rows: Any, jit_compile: bool | str) -> float:
    from benchmarks.subject import build_detector

    detector = build_detector(6, HIDDEN)
    settings = {"epochs": EPOCHS, "batch_size": BATCH_SIZE, "jit_compile": jit_compile}
    return _seconds(lambda: detector.fit(rows, verbose=0, **settings))


def _eager(rows: Any) -> float:
    from benchmarks.eager import EagerLoop
    from benchmarks.subject import build_nets

    nets = build_nets(6, HIDDEN)
    first, more = EAGER_STEPS
    start = time.perf_counter()
    loop = EagerLoop(nets, rows.astype("float32"), BATCH_SIZE)
    loop.run(first)
    taken = time.perf_counter() - start
    n_steps = EPOCHS * -(-len(rows) // BATCH_SIZE)
    return taken + _seconds(lambda: loop.run(more)) * (n_steps - first) / more


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


FITS: dict[str, Callable[[Any], float]] = {
    "OutlierAEGMM.auto(6).fit(X)": _auto,
    "fit(X), jit_compile='auto'": lambda rows: _plain(rows, "auto"),
    "fit(X), jit_compile=True": lambda rows: _plain(rows, True),
    "fit(X), jit_compile=False": lambda rows: _plain(rows, False),
    "eager loop, extrapolated": _eager,
}


def seconds(name: str) -> float:
    """One fit; to be called once in a process."""
    from aegmm_detect.datasets import load_thyroid

    return FITS[name](load_thyroid().X)


def run(sizes: Sizes) -> list[dict[str, Any]]:
    """All ways to fit."""
    found: dict[str, list[float]] = {name: [] for name in FITS}
    for i in range(sizes.fresh_processes):
        say(f"first fit: round {i + 1} of {sizes.fresh_processes}")
        for name in FITS:
            found[name].append(in_fresh_process(_CODE, name))
    return [
        {"fit": name, "median_seconds": statistics.median(times), "seconds": times}
        for name, times in found.items()
    ]
