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
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aegmm_detect.configs.export import METADATA_FILE, MODEL_FILES
from aegmm_detect.sealed_json import sealed

ROOT = Path(__file__).parents[1]
GOOD = ("scored", "refused", "refused in the trial", "refused while scoring")
# Seconds of the clock for one case, on a machine with much else to do.
PATIENCE = 90.0
MOST_MEGABYTES = 200.0
EXTREMES = (0, 1, -1, 2, 7, 255, 65536, 2**31 - 1, -(2**31), 2**31, 2**62, -(2**63), 2_000_000_000)
VALUES = (None, True, 0, -1, 2**63, 1e308, "NaN", "Infinity", "", "x" * 5000, [], {}, [2**40], [0])

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


def reseal(export: Path, path: Path, model: bytes, fields: dict[str, Any]) -> None:
    """Write a forged export to `path`."""
    path.mkdir()
    name = MODEL_FILES[json.loads((export / METADATA_FILE).read_text())["format"]]
    (path / name).write_bytes(model)
    if "sha256" in fields:
        fields["sha256"] = hashlib.sha256(model).hexdigest()
    (path / METADATA_FILE).write_text(sealed(json.dumps(fields), "metadata_sha256"))


def mutate(export: Path, path: Path, draw: random.Random) -> str:
    """A changed copy of an export at `path`; says what kind of change it is."""
    fields = json.loads((export / METADATA_FILE).read_text())
    fields.pop("metadata_sha256")
    model = (export / MODEL_FILES[fields["format"]]).read_bytes()
    kinds: list[Callable[[], bytes]] = [
        lambda: _flipped(model, draw),
        lambda: _spliced(model, draw),
        lambda: _in_graph(model, fields["format"], draw),
        lambda: _in_graph(model, fields["format"], draw),
        lambda: _metadata(fields, draw) or model,
    ]
    which = draw.randrange(len(kinds))
    reseal(export, path, kinds[which](), fields)
    return ("bytes", "pieces", "graph", "graph", "metadata")[which]


def _flipped(model: bytes, draw: random.Random) -> bytes:
    changed = bytearray(model)
    for _ in range(draw.choice([1, 1, 2, 8])):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def _spliced(model: bytes, draw: random.Random) -> bytes:
    a, b, c = sorted(draw.randrange(len(model)) for _ in range(3))
    return draw.choice(
        [
            model[:b],
            model[:a] + model[b:],
            model[:b] + model[a:],
            model[:a] + model[b:c] + model[c:],
        ]
    )


def _metadata(fields: dict[str, Any], draw: random.Random) -> None:
    inside = draw.choice([fields, fields["input"], fields["meta"]])
    inside[draw.choice(list(inside))] = draw.choice(VALUES)


def _in_graph(model: bytes, format: str, draw: random.Random) -> bytes:
    return (_in_onnx if format == "onnx" else _in_litert)(model, draw)


def _in_onnx(content: bytes, draw: random.Random) -> bytes:
    import onnx

    model = onnx.load_from_string(content)
    graph, kind = model.graph, draw.randrange(5)
    node = draw.choice(graph.node)
    if kind == 0:
        node.op_type = draw.choice(graph.node).op_type
    elif kind == 1:
        node.input[draw.randrange(len(node.input))] = draw.choice(
            [tensor.name for tensor in graph.initializer] + [n.output[0] for n in graph.node]
        )
    elif kind == 2:
        whole = [a for n in graph.node for a in n.attribute if a.type in (2, 7)]
        attribute = draw.choice(whole)
        if attribute.type == 2:
            attribute.i = draw.choice(EXTREMES[:10])
        elif attribute.ints:
            attribute.ints[draw.randrange(len(attribute.ints))] = draw.choice(EXTREMES)
    elif kind == 3:
        tensor = draw.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[draw.randrange(len(tensor.dims))] = draw.choice(EXTREMES)
        else:
            tensor.dims.append(draw.choice(EXTREMES))
    else:
        whole = [tensor for tensor in graph.initializer if tensor.data_type in (6, 7)]
        tensor = draw.choice(whole)
        numbers = onnx.numpy_helper.to_array(tensor).copy()
        if numbers.size:
            limits = np.iinfo(numbers.dtype)
            value = min(max(draw.choice(EXTREMES), limits.min), limits.max)
            numbers.reshape(-1)[draw.randrange(numbers.size)] = value
        tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, tensor.name))
    return bytes(model.SerializeToString())


def _in_litert(content: bytes, draw: random.Random) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph, kind = model.subgraphs[0], draw.randrange(5)
    operator = draw.choice(graph.operators)
    small = [value for value in EXTREMES if -(2**31) <= value < 2**31]
    if kind == 0:
        operator.opcodeIndex = draw.randrange(len(model.operatorCodes))
    elif kind == 1:
        operator.inputs = list(operator.inputs)
        operator.inputs[draw.randrange(len(operator.inputs))] = draw.randrange(len(graph.tensors))
    elif kind == 2 and operator.builtinOptions is not None:
        options = vars(operator.builtinOptions)
        whole = [key for key, value in options.items() if type(value) is int]
        if whole:
            options[draw.choice(whole)] = draw.choice([0, 1, 3, 100])
    elif kind == 3:
        tensor = draw.choice(graph.tensors)
        tensor.shape = [draw.choice(small) for _ in range(draw.randrange(5))]
    else:
        tensor = draw.choice(graph.tensors)
        data = model.buffers[tensor.buffer].data
        if tensor.type in (2, 4) and data is not None and len(data) >= 4:
            numbers = np.array(data, np.uint8).view(np.int32)
            numbers[draw.randrange(len(numbers))] = draw.choice(small)
            model.buffers[tensor.buffer].data = numbers.view(np.uint8)
    builder = flatbuffers.Builder(2**16)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except Exception:  # the options of another operation, which no file can hold
        return _flipped(content, draw)
    return bytes(builder.Output())


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
