"""A program whose fits are killed, one after the other, and go on; `test_resuming.py` runs it.

TensorFlow is loaded once: every fit is a process forked from this one, which has started nothing.
"""

import gc
import json
import os
import signal
import sys
import traceback
from pathlib import Path

import keras
import numpy as np

from aegmm_detect.od import OutlierAEGMM, fitting
from aegmm_detect.programs.tracing import SCORING
from aegmm_detect.training import checkpoint_file

ROWS = np.random.default_rng(7).normal(size=(300, 6)).astype("float32")
EPOCHS = 6


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class KillAt(keras.callbacks.Callback):
    """Dies at a moment of training."""

    def __init__(self, moment, epoch):
        super().__init__()
        self._at, self._epoch = (moment, epoch), -1

    def on_train_begin(self, logs=None):
        self._come("train begin", -1)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._come("epoch begin", epoch)

    def on_train_batch_end(self, batch, logs=None):
        if batch > 0:
            self._come("mid-epoch", self._epoch)

    def on_train_end(self, logs=None):
        self._come("train end", -1)

    def _come(self, moment, epoch):
        if self._at == (moment, epoch):
            die()


def die_while_writing(nth):
    """Half of the bytes of the `nth` write are there."""
    real, calls = os.fsync, []

    def fsync(handle):
        if os.path.isfile(f"/proc/self/fd/{handle}"):
            calls.append(handle)
            if len(calls) == nth:
                os.ftruncate(handle, os.fstat(handle).st_size // 2)
                die()
        real(handle)

    os.fsync = fsync


def die_before_replacing(nth):
    """All bytes of the `nth` write are there, under another name."""
    real, calls = os.replace, []

    def replace(*paths):
        calls.append(paths)
        if len(calls) == nth:
            die()
        real(*paths)

    os.replace = replace


def fit(folder, result, moment=None, number=-1):
    """One fit, to its end or not; what it leaves goes to `result`."""
    if moment == "writing":
        die_while_writing(number)
    elif moment == "replacing":
        die_before_replacing(number)
    elif moment == "density":
        fitting.state_of = lambda *_: die()
    detector = OutlierAEGMM.from_sizes(6, [1], [4, 2], normalize="standard", threshold=0.0)
    history = detector.fit(
        ROWS,
        optimizer=keras.optimizers.Adam(0.01),
        epochs=EPOCHS,
        verbose=0,
        seed=3,
        validation_split=0.2,
        jit_compile=False,
        steps_per_execution=2,
        checkpoint_dir=folder,
        callbacks=[
            # The first epoch has the best weights, and the one before the last is the last.
            keras.callbacks.EarlyStopping(
                "val_energy", mode="max", patience=EPOCHS - 2, restore_best_weights=True
            ),
            keras.callbacks.ReduceLROnPlateau("loss", min_delta=0.5, patience=1),
            KillAt(moment, number),
        ],
    )
    if moment == "end":
        die()
    np.savez(
        result,
        *detector.net.get_weights(),
        scores=detector.score(ROWS),
        history=json.dumps([history.epoch, history.history]),
    )


# In this order, so that each is met by a fit that goes on from the one before it.
MOMENTS = [
    ("train begin", -1),
    ("mid-epoch", 0),
    ("writing", 2),
    ("replacing", 3),
    ("epoch begin", 3),
    ("train end", -1),
    ("density", -1),
    ("end", -1),
]


def forked(*arguments):
    """How the process of one fit ended."""
    child = os.fork()
    if child == 0:
        try:
            fit(*arguments)
        except BaseException:  # or the child would go on as its parent
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def held_by(file):
    """Epochs that a checkpoint holds, and whether training has ended; None without one."""
    found = checkpoint_file.read(file)
    return None if found is None else (found["epochs"], found["finished"])


if __name__ == "__main__":
    home = Path(sys.argv[1])
    SCORING["mode"] = "graph"  # as in the tests
    gc.freeze()  # what is imported is no garbage, which every process would look for
    killed = [
        (
            os.waitstatus_to_exitcode(forked(home / "run", home / "early.npz", *moment)),
            held_by(home / "run" / "fit.npz"),
        )
        for moment in MOMENTS
    ]
    resumed = os.waitstatus_to_exitcode(forked(home / "run", home / "resumed.npz"))
    print(json.dumps({"killed": killed, "resumed": resumed}))
