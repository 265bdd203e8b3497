"""How far does memory rise above the data while scoring, and while the mixture is estimated?

Each figure comes from a process of its own: data made, 20,000 rows as a warm-up, the peak reset;
then peak minus what was resident before. Reads /proc, so Linux only.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.protocol import OURS, Sizes, in_fresh_process, say
from benchmarks.subject import fitted_detector, make_rows

N_FEATURES = 18
WARM_UP_ROWS = 20_000

_CODE = """
import json, sys
from benchmarks.memory import growth
print(json.dumps(growth(sys.argv[1], int(sys.argv[2]))))
"""


def score() -> Callable[[Any], object]:
    return fitted_detector(N_FEATURES).score


def estimate() -> Callable[[Any], object]:
    """The pass that ends `fit`."""
    from aegmm_detect.programs.pure import NetProgram, PureFunction
    from aegmm_detect.training.data import ArrayRows
    from aegmm_detect.training.estimate import estimate_mixture, rows_per_pass

    net, size = fitted_detector(N_FEATURES).net, rows_per_pass((N_FEATURES,))
    outputs = PureFunction(lambda net, _, x: net(x, training=False), "benchmark")
    forward = NetProgram(net, outputs)

    def work(rows: Any) -> object:
        return estimate_mixture(forward, lambda: ArrayRows(rows).batches(size))

    return work


def eager_score() -> Callable[[Any], object]:
    from benchmarks.eager import EagerScorer

    detector = fitted_detector(N_FEATURES)
    return EagerScorer(detector.net.encoder, detector.net.decoder, detector.mixture)


TASKS = {f"{OURS} score": score, f"{OURS} estimate": estimate, "eager pass": eager_score}


def growth(task: str, n_rows: int) -> dict[str, int]:
    """Bytes that `task` adds at its peak; to be called once in a process."""
    work = TASKS[task]()
    rows = make_rows(n_rows, N_FEATURES, seed=1)
    work(rows[:WARM_UP_ROWS])
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before = status("VmRSS")
    work(rows)
    return {"data_bytes": rows.nbytes, "before": before, "peak": status("VmHWM")}


def status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{field}:"))
    return 1024 * int(line.split()[1])


def run(sizes: Sizes) -> list[dict[str, Any]]:
    """All tasks and numbers of rows."""
    cases = []
    for task in TASKS:
        for n_rows in sizes.eager_memory_rows if "eager" in task else sizes.memory_rows:
            say(f"memory: {task}, {n_rows:,} rows")
            found = in_fresh_process(_CODE, task, n_rows)
            case = {"task": task, "rows": n_rows, "features": N_FEATURES, **found}
            cases.append({**case, "growth_bytes": found["peak"] - found["before"]})
    return cases
