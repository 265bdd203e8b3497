"""What does the second time cost? Fits, loads and updates of a structure that was compiled before.

Times are of turns in one process, beside Keras's own `load_model` of the same nets and a compile.
Growth of resident memory is of a process of its own each: reads /proc, so Linux only.
"""

import gc
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.memory import status
from benchmarks.protocol import Sizes, Turns, in_fresh_process, raw, say
from benchmarks.subject import build_detector, build_nets, make_rows

N_FEATURES = 18
_FIT = {"epochs": 2, "batch_size": 64, "verbose": 0}

_CODE = """
import json, sys
from benchmarks.reuse import growth
print(json.dumps(growth(sys.argv[1], int(sys.argv[2]))))
"""


def times(sizes: Sizes) -> dict[str, Any]:
    """Of loading and scoring, and of updating and scoring, once everything is compiled."""
    import keras

    from aegmm_detect.programs.cache import PROGRAMS
    from aegmm_detect.saving import load_detector, save_detector

    rows, one = make_rows(2000, N_FEATURES), make_rows(1, N_FEATURES, seed=1)
    detector = build_detector(N_FEATURES)
    detector.fit(rows, seed=0, **_FIT)
    turns = {
        name: Turns(1)
        for name in ("load and score", "keras.load_model", "update and score", "compile and score")
    }
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "detector.aegmm"
        save_detector(detector, saved)
        files = []
        for name, net in build_nets(N_FEATURES).items():
            files.append(Path(folder) / f"{name}.keras")
            net.save(files[-1])

        def load() -> None:
            load_detector(saved).score(one)

        def update() -> None:
            detector.update(rows[:500])
            detector.score(one)

        load()
        update()
        for _ in range(sizes.rounds):
            turns["load and score"].take(load)
            turns["keras.load_model"].take(lambda: [keras.models.load_model(f) for f in files])
            turns["update and score"].take(update)
            PROGRAMS.clear()
            turns["compile and score"].take(load)
            update()  # compiles its own program again
    return {
        "case": "second time",
        "features": N_FEATURES,
        "turns": raw(turns),
        "seconds": {name: own.each for name, own in turns.items()},
        "load_above_keras_seconds": turns["load and score"].each - turns["keras.load_model"].each,
    }


def growth(task: str, times: int) -> dict[str, int]:
    """Resident bytes before and after `times` turns of a task; to be called once in a process."""
    from aegmm_detect.od import OutlierAEGMM
    from aegmm_detect.saving import load_detector, save_detector

    rows = make_rows(2000, 10)

    def fit() -> OutlierAEGMM:
        detector = OutlierAEGMM.auto(10, threshold=0.0, seed=0)
        detector.fit(rows, verbose=0, epochs=2)
        detector.score(rows)
        return detector

    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "detector.aegmm"
        save_detector(fit(), saved)

        def turn() -> None:
            if task == "fits":
                fit()
            else:
                load_detector(saved).score(rows)

        for _ in range(3):  # a pool of memory is filled at first
            turn()
        gc.collect()
        before = status("VmRSS")
        for _ in range(times):
            turn()
        gc.collect()
    return {"before": before, "after": status("VmRSS")}


def run(sizes: Sizes) -> list[dict[str, Any]]:
    """All of it."""
    say("reuse: times")
    cases = [times(sizes)]
    for task, often in (("fits", sizes.repeated_fits), ("loads", sizes.repeated_loads)):
        say(f"reuse: memory after {often} {task}")
        found = in_fresh_process(_CODE, task, often)
        grown = found["after"] - found["before"]
        cases.append({"case": f"memory of {task}", "times": often, **found, "growth_bytes": grown})
    return cases
