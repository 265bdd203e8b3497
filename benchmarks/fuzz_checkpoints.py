"""Resume fits from mutated checkpoints: they go on with finite scores, or raise our own errors.

    python -m benchmarks.fuzz_checkpoints --count 700 --seed 0

One checkpoint of a fit that was cut off is changed again and again: its bytes, members of the zip
file, and, well formed, values of its JSON tree and its arrays. Each is given to the same call of
`fit`. Some changes do no harm, and some are what another fit might have written: these are
"loaded". "rejected" is a `CheckpointError`, or what training says of weights that it cannot use.
"""

import contextlib
import io
import json
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np

from aegmm_detect.exceptions import AEGMMError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.training.checkpoint import FILE_NAME
from aegmm_detect.untrusted.arrays import array_from_bytes, array_to_bytes
from aegmm_detect.untrusted.stored import read_stored, write_stored
from benchmarks import fuzzing

QUICK = {"epochs": 3, "verbose": 0, "jit_compile": False}
ROWS = np.random.default_rng(7).normal(size=(100, 4)).astype(np.float32)
# What the tree of a checkpoint uses for values that JSON lacks.
VALUES = (
    *fuzzing.VALUES,
    *({"tuple": []}, {"set": [[1]]}, {"dict": [[1, 2]]}, {"array": "0"}, {"number": "1"}),
    *({"bits": ["object", {"array": "0"}]}, {"integer": "0x1"}, {"a": 1, "b": 2}, "loss"),
)
_DTYPES = ("f2", "f4", "f8", "i8", "u1", "b1", "c8", "U3", "S3", ">f4")
_TREE, _KINDS = "tree.npy", "bfuicSU"


class _CutOff(keras.callbacks.Callback):
    """Ends a fit in its last epoch, as a user might."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self._cut = cut

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._cut and epoch == 2:
            raise InterruptedError


def _fit(folder: str, cut: bool = False) -> OutlierAEGMM:
    early = keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
    plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=9)
    subject = OutlierAEGMM.from_sizes(
        4, [3, 1], [3, 2], threshold=0.0, seed=3, normalize="standard"
    )
    callbacks = [early, plateau, _CutOff(cut)]
    subject.fit(ROWS, **QUICK, callbacks=callbacks, checkpoint_dir=folder)
    return subject


def whole() -> bytes:
    """The checkpoint of a fit that was cut off."""
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(InterruptedError):
            _fit(folder, cut=True)
        return (Path(folder) / FILE_NAME).read_bytes()


def make(folder: Path, count: int, seed: int) -> list[Path]:
    """Mutants of one checkpoint, as files."""
    draw, base, files = random.Random(seed), whole(), []
    for number in range(count):
        kind, content = mutated(base, draw)
        path = folder / f"{number}-{kind}.checkpoint"
        path.write_bytes(content)
        files.append(path)
    return files


def mutated(base: bytes, draw: random.Random) -> tuple[str, bytes]:
    """Kind of a mutation, and a checkpoint with one or two of it."""
    content = base
    kind = draw.choice((fuzzing.mutate_bytes, _members, _tree, _tree, _array))
    while content == base:
        for _ in range(draw.choice((1, 1, 2))):
            content = kind(content, draw)
    return kind.__name__.removeprefix("mutate_").strip("_"), content


def _members(content: bytes, draw: random.Random) -> bytes:
    """A member lost, taken for another, added or damaged."""
    members = _read(content)
    one, other = draw.choice([*members]), draw.choice([*members])
    match draw.randrange(4):
        case 0 if len(members) > 1:
            del members[one]
        case 1:
            members[one] = members[other]
        case 2:
            members[f"{len(members)}.npy"] = members[one]
        case _:
            members[one] = fuzzing.mutate_bytes(members[one], draw)
    return write_stored(members)


def _tree(content: bytes, draw: random.Random) -> bytes:
    """One value of the tree, wherever it is, by another."""
    members = _read(content)
    tree = json.loads(array_from_bytes(members[_TREE], _TREE).tobytes())
    if not tree:
        return content
    text = json.dumps(fuzzing.mutate_json(tree, draw, values=VALUES)).encode()
    return write_stored({**members, _TREE: array_to_bytes(np.frombuffer(text, np.uint8))})


def _array(content: bytes, draw: random.Random) -> bytes:
    """Another shape, dtype or value of one array."""
    members = _read(content)
    name = draw.choice([name for name in members if name != _TREE])
    try:
        array = array_from_bytes(members[name], name, _KINDS)
    except AEGMMError:  # a change before this one has made it such
        return content
    match draw.randrange(6):
        case 0:
            array = array.reshape(-1)
        case 1:
            array = array[None]
        case 2:
            array = array.astype(draw.choice(_DTYPES))
        case 3:
            array = np.resize(array, (3, 3))
        case 4 if array.dtype.kind in "bfuic":
            array = array * draw.choice((np.nan, np.inf, 1e30, -1.0, 0.5, 0.0))
        case _:
            array = np.asfortranarray(array)[..., :0]
    return write_stored({**members, name: array_to_bytes(array)})


def _read(content: bytes) -> dict[str, bytes]:
    return read_stored(io.BytesIO(content), "it", bool)


def prepare() -> None:
    """Fit once."""
    with tempfile.TemporaryDirectory() as folder:
        _fit(folder)


def open_file(path: Path) -> None:
    """Resume a fit; what it then says of the rows must be finite."""
    warnings.simplefilter("error")
    # Of Keras's own, whenever it copies weights.
    warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(path, Path(folder) / FILE_NAME)
        scores = _fit(folder).score(ROWS)
    if not np.isfinite(scores).all():
        raise FloatingPointError("the resumed detector scores NaN or infinity")


if __name__ == "__main__":
    sys.exit(fuzzing.main("benchmarks.fuzz_checkpoints", __doc__.splitlines()[0], 200.0, 700))
