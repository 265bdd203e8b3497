"""What happens when somebody changes an export and seals it again?

    python -m benchmarks.fuzz_exports --count 600 --seed 0

Exports small detectors to ONNX and LiteRT and changes copies of them in one way each: bytes of the
graph, numbers, operations and wires in it, values in the metadata. Each is sealed, opened with the
light scorer and scores rows.

Needs the extras ``onnx`` and ``litert``.
"""

import contextlib
import importlib
import itertools
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aegmm_detect.scoring import Scorer
from benchmarks import fuzzing
from benchmarks.forged_exports import mutate

_KINDS = ("bytes", "bytes", "graph", "graph", "metadata")
MOST_MEGABYTES = 200.0


def make(folder: Path, count: int, seed: int) -> list[Path]:
    """Mutants of several exports, as folders."""
    with tempfile.TemporaryDirectory() as exports:
        return mutants(_exports(Path(exports)), folder, count, seed)


def mutants(exports: Sequence[Path], folder: Path, count: int, seed: int) -> list[Path]:
    """Mutants of light exports, taken in turn."""
    draw, paths = random.Random(seed), []
    for number, export in zip(range(count), itertools.cycle(exports), strict=False):
        kind = draw.choice(_KINDS)
        paths.append(folder / f"{number}-{kind}")
        mutate(export, paths[-1], draw, kind)
    return paths


def _exports(folder: Path) -> list[Path]:
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


def prepare() -> None:
    """Load the engines."""
    for engine in ("onnxruntime", "ai_edge_litert.interpreter"):
        with contextlib.suppress(ImportError):
            importlib.import_module(engine)


def open_file(path: Path) -> None:
    """Open an export and score numbers of rows that take different paths through the scorer."""
    scorer = Scorer(path)
    rng = np.random.default_rng(0)
    for n in (1, 5, 70, 4100):
        rows = rng.standard_normal((n, *scorer.metadata.input.shape), np.float32)
        scorer.predict(100.0 * rows)


if __name__ == "__main__":
    sys.exit(fuzzing.main("benchmarks.fuzz_exports", __doc__.splitlines()[0], MOST_MEGABYTES))
