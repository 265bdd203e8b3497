"""Mutated checkpoints: how many are resumed, rejected by name, or end in anything else?

    python -m benchmarks.fuzz_checkpoints --count 700 --seed 0

One checkpoint of a fit that was cut off is changed again and again: bits and stretches of the file,
members of the zip file, and, well formed, values of its JSON tree and its arrays. Each is given to
the same call of `fit`. `rejected` is a `CheckpointError`; `resumed` ends with finite scores, for
some changes do no harm, and some are what another fit might have written; `trained` is another of
the package's errors, after weights of any size that fit; anything else is a finding, and is
reported with the number of its case. `seconds_to_reject` are of the processor, for the slowest.
"""

import argparse
import collections
import contextlib
import copy
import io
import json
import pathlib
import tempfile
import time
import traceback
import warnings

import keras
import numpy as np

from aegmm_detect.exceptions import AEGMMError, CheckpointError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.training.checkpoint import FILE_NAME
from aegmm_detect.untrusted.stored import read_stored, write_stored

QUICK = {"epochs": 3, "verbose": 0, "jit_compile": False}
ROWS = np.random.default_rng(7).normal(size=(100, 4)).astype(np.float32)
VALUES = (
    *(None, True, False, 0, -1, 1, 2, 3, 2**31, 2**63 - 1, 2**80, 0.5, -1e308, float("nan")),
    *(float("inf"), "", "x", "loss", "../x", "/etc/passwd", "os.system", "\ud800", [], {}, [[]]),
    *({"tuple": []}, {"set": [[1]]}, {"dict": [[1, 2]]}, {"array": "0"}, {"number": "1"}),
    *({"bits": ["object", {"array": "0"}]}, {"integer": "0x1"}, {"a": 1, "b": 2}),
)


class CutOff(keras.callbacks.Callback):
    def __init__(self, cut: bool) -> None:
        super().__init__()
        self._cut = cut

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._cut and epoch == 2:
            raise InterruptedError


def callbacks() -> list[keras.callbacks.Callback]:
    early = keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
    return [early, keras.callbacks.ReduceLROnPlateau("loss", patience=9)]


def detector() -> OutlierAEGMM:
    return OutlierAEGMM.from_sizes(4, [3, 1], [3, 2], threshold=0.0, seed=3, normalize="standard")


class Checkpoints:
    """Mutations of one checkpoint."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as folder:
            with contextlib.suppress(InterruptedError):
                self.fit(detector(), folder, cut=True)
            self.whole = (pathlib.Path(folder) / FILE_NAME).read_bytes()

    @staticmethod
    def fit(detector: OutlierAEGMM, folder: str, cut: bool = False) -> None:
        own = [*callbacks(), CutOff(cut)]
        detector.fit(ROWS, **QUICK, callbacks=own, checkpoint_dir=folder)

    def mutated(self) -> tuple[str, bytes]:
        """Kind of a mutation, and the file."""
        kinds = [self._bits, self._stretch, self._members, self._tree, self._tree, self._array]
        kind = kinds[self._rng.integers(len(kinds))]
        content = self.whole
        for _ in range(self._rng.integers(1, 3)):
            content = kind(content)
        return kind.__name__.strip("_"), content

    def _bits(self, content: bytes) -> bytes:
        spoilt = bytearray(content)
        for at in self._rng.integers(len(spoilt), size=self._rng.integers(1, 5)):
            spoilt[at] ^= 1 << int(self._rng.integers(8))
        return bytes(spoilt)

    def _stretch(self, content: bytes) -> bytes:
        start, end = sorted(self._rng.integers(len(content) + 1, size=2))
        other = self._rng.bytes(int(self._rng.integers(20)))
        return content[:start] + other + content[start if self._rng.random() < 0.5 else end :]

    def _members(self, content: bytes) -> bytes:
        members = self._read(content)
        if members is None:
            return content
        names = list(members)
        one, other = (names[i] for i in self._rng.integers(len(names), size=2))
        match self._rng.integers(4):
            case 0:
                del members[one]
            case 1:
                members[one] = members[other]
            case 2:
                members[f"{len(names)}.npy"] = members[one]
            case _:
                members[one] = self._bits(members[one])
        return write_stored(members)

    def _tree(self, content: bytes) -> bytes:
        """One value of the tree, wherever it is, by another."""
        members = self._read(content)
        if members is None:
            return content
        tree = json.loads(_numbers(members["tree.npy"]).tobytes())
        places = list(_places(tree))
        inner, key = places[self._rng.integers(len(places))]
        match self._rng.integers(5):
            case 0:
                del inner[key]
            case 1:
                other, there = places[self._rng.integers(len(places))]
                inner[key] = copy.deepcopy(other[there])
            case _:
                inner[key] = copy.deepcopy(VALUES[self._rng.integers(len(VALUES))])
        text = np.frombuffer(json.dumps(tree).encode(), np.uint8)
        return write_stored({**members, "tree.npy": _npy(text)})

    def _array(self, content: bytes) -> bytes:
        """Another shape, dtype or value of one array."""
        members = self._read(content)
        if members is None:
            return content
        names = [name for name in members if name != "tree.npy"]
        name = names[self._rng.integers(len(names))]
        array = _numbers(members[name])
        kinds = ("f2", "f4", "f8", "i8", "u1", "b1", "c8", "U3", "S3", ">f4")
        match self._rng.integers(6):
            case 0:
                array = array.reshape(-1)
            case 1:
                array = array[None]
            case 2:
                array = array.astype(kinds[self._rng.integers(len(kinds))])
            case 3:
                array = np.resize(array, (3, 3))
            case 4:
                array = array.T * [np.nan, np.inf, 1e30, -1.0][self._rng.integers(4)]
            case _:
                array = np.asfortranarray(array)[..., :0]
        return write_stored({**members, name: _npy(array)})

    @staticmethod
    def _read(content: bytes) -> dict[str, bytes] | None:
        try:
            return read_stored(io.BytesIO(content), "it", bool)
        except AEGMMError:
            return None


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _numbers(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content))


def _places(tree):
    """Container and key of every value in a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


def outcome(content: bytes, subject: OutlierAEGMM) -> tuple[str, str]:
    """What the same call does with a checkpoint, and what it says."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        # Of Keras's own, whenever it copies weights.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        (pathlib.Path(folder) / FILE_NAME).write_bytes(content)
        try:
            Checkpoints.fit(subject, folder)
        except CheckpointError as error:
            return "rejected", str(error)
        except AEGMMError as error:
            return f"trained: {type(error).__name__}", str(error)
        except Exception as error:
            return f"finding: {type(error).__name__}", traceback.format_exc()
        fine = np.isfinite(subject.score(ROWS)).all()
        return ("resumed", "") if fine else ("finding: scores", "NaN or infinity")


def fuzz(count: int, seed: int) -> dict[str, object]:
    """Outcomes of `count` mutations, by kind; every finding; the longest of them in seconds."""
    made = Checkpoints(seed)
    counts: collections.Counter[str] = collections.Counter()
    findings, longest = [], 0.0
    for case in range(count):
        kind, content = made.mutated()
        start = time.process_time()
        how, told = outcome(content, detector())
        if how == "rejected":
            longest = max(longest, time.process_time() - start)
        counts[f"{kind}: {how}"] += 1
        if how.startswith("finding"):
            findings.append({"case": case, "kind": kind, "outcome": how, "told": told})
    return {
        "count": count,
        "seed": seed,
        "outcomes": dict(sorted(counts.items())),
        "findings": findings,
        "seconds_to_reject": round(longest, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(fuzz(arguments.count, arguments.seed), indent=2))


if __name__ == "__main__":
    main()
