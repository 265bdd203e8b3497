"""What happens when somebody changes an export and seals it again?

python -m benchmarks.fuzz_exports [--count 600] [--seed 0]

Exports small detectors to ONNX and LiteRT and changes copies of them in one way each: bytes of the
graph, numbers, operations and wires in it, values in the metadata. Each is sealed, opened with the
light scorer and scores rows, in a process of its own. Prints how many ended how, and every case
that ended badly: a crash, a hang, an error that is not the package's, more than 200 MB. Exit status
1 if there is one.

Needs the extras ``onnx`` and ``litert``.
"""

import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.forged_exports import mutate

ROOT = Path(__file__).parents[1]
GOOD = ("scored", "refused", "refused in the trial", "refused while scoring")
# Seconds of the clock for one case, on a machine with much else to do.
PATIENCE = 90.0
MOST_MEGABYTES = 200.0

_WORKER = """
import json, sys, time
import numpy as np
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.scoring import Scorer
for engine in ("onnxruntime", "ai_edge_litert.interpreter"):
    try:
        __import__(engine)
    except ImportError:
        pass
def peak():
    try:  # what `getrusage` says begins with what the parent process had
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        return 0.0
for line in sys.stdin:
    before, start, opened = peak(), time.perf_counter(), False
    try:
        scorer = Scorer(line.rstrip("\\n"))
        opened = True
        rng = np.random.default_rng(0)
        for n in (1, 5, 70, 4100):
            rows = rng.standard_normal((n, *scorer.metadata.input.shape), np.float32)
            scorer.predict(100.0 * rows)
        outcome = "scored"
    except ArtefactError as error:
        trial = "in a trial of a few rows" in str(error)
        outcome = "refused while scoring" if opened else "refused"
        outcome += " in the trial" if trial else ""
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    print(json.dumps([outcome, time.perf_counter() - start, peak() - before]), flush=True)
"""


def run(paths: Sequence[Path]) -> list[tuple[str, float, float]]:
    """Outcome, seconds and megabytes of opening and scoring each, in as few processes as live."""
    results: list[tuple[str, float, float]] = []
    while len(results) < len(paths):
        with subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        ) as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            for path in paths[len(results) :]:
                late = threading.Timer(PATIENCE, worker.kill)
                late.start()
                try:
                    worker.stdin.write(f"{path}\n")
                    worker.stdin.flush()
                    line = worker.stdout.readline()
                except BrokenPipeError:
                    line = ""
                hung = not late.is_alive()
                late.cancel()
                if not line:
                    status = worker.wait()
                    results.append(("hang" if hung else f"crash with {status}", PATIENCE, 0.0))
                    break
                outcome, seconds, megabytes = json.loads(line)
                if megabytes > MOST_MEGABYTES:
                    outcome = f"more than {MOST_MEGABYTES:.0f} MB ({outcome})"
                results.append((outcome, seconds, megabytes))
            else:
                worker.stdin.close()
    return results


def fuzz(
    exports: Sequence[Path], count: int, seed: int, folder: Path, at_once: int = 30
) -> tuple[collections.Counter[tuple[str, str]], list[str], float, float]:
    """Changes `count` times.

    Parameters
    ----------
    exports
        Light ones, taken in turn.
    count, seed
        How many changes; of the draws.
    folder
        For the copies; those that ended badly stay.
    at_once
        Cases per process.

    Returns
    -------
    How many of each (kind of change, outcome); the bad ones, described; the longest time and the
    most memory.
    """
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    bad, longest, most = [], 0.0, 0.0
    for first in range(0, count, at_once):
        numbers = range(first, min(first + at_once, count))
        paths = [folder / f"case{i}" for i in numbers]
        kinds = [
            mutate(exports[i % len(exports)], path, random.Random(f"{seed} {i}"))
            for i, path in zip(numbers, paths, strict=True)
        ]
        for path, kind, (outcome, seconds, megabytes) in zip(paths, kinds, run(paths), strict=True):
            counts[kind, outcome if outcome in GOOD else "bad"] += 1
            longest, most = max(longest, seconds), max(most, megabytes)
            if outcome in GOOD:
                shutil.rmtree(path)
            else:
                bad.append(f"{path}, {kind}: {outcome[:300]}")
    return counts, bad, longest, most


def make_exports(folder: Path) -> list[Path]:
    """Light exports of a plain detector, of one with an ensemble's parts, and of one of images."""
    import keras

    from aegmm_detect.od import OutlierAEGMM

    rng, layers = np.random.default_rng(0), keras.layers
    rows = rng.standard_normal((300, 6)).astype(np.float32)
    images = rng.random((300, 8, 8, 1), np.float32)
    image_nets = {
        "encoder_net": keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(4, 3, 2, "same", activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(2),
            ]
        ),
        "decoder_net": keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(64),
                layers.Reshape((4, 4, 4)),
                layers.Conv2DTranspose(1, 3, 2, "same"),
            ]
        ),
        "gmm_density_net": keras.Sequential([keras.Input((4,)), layers.Dense(2, "softmax")]),
    }
    subjects = {
        "auto": (OutlierAEGMM.auto(6, ensemble=1, threshold=0.0, seed=0), rows),
        "both": (
            OutlierAEGMM.auto(6, ensemble=1, threshold=0.0, seed=0, score_type="both"),
            rows,
        ),
        "image": (OutlierAEGMM(threshold=0.0, normalize="minmax", **image_nets), images),
    }
    paths = []
    for name, (detector, X) in subjects.items():
        detector.fit(X, epochs=1, verbose=0, seed=0, jit_compile=False)
        for format in ("onnx", "litert"):
            paths.append(folder / f"{name}-{format}")
            detector.export(paths[-1], format, X=X)
    return paths


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz_exports", description="Open and score forged exports."
    )
    parser.add_argument("--count", type=int, default=600, help="how many (default 600)")
    parser.add_argument("--seed", type=int, default=0, help="of the draws (default 0)")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    folder = Path(tempfile.mkdtemp(prefix="fuzz_exports_"))
    counts, bad, longest, most = fuzz(make_exports(folder), options.count, options.seed, folder)
    for (kind, outcome), n in sorted(counts.items()):
        print(f"{kind:9} {outcome:22} {n:5}")
    print(f"longest {longest:.1f} s, most memory {most:.0f} MB")
    print("\n".join(bad) or "none ended badly")
    if not bad:
        shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
