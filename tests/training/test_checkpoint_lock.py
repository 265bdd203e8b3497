"""One folder is for one fit at a time; whoever is killed holds nothing."""

import gc
import os
import subprocess
import sys

import keras
import pytest

from aegmm_detect.exceptions import CheckpointError
from aegmm_detect.files import lock_file, unlock_file
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.training.checkpoint import FILE_NAME
from aegmm_detect.training.checkpoint_lock import LOCK_NAME

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
QUICK = {"epochs": 2, "verbose": 0, "jit_compile": False}


def small():
    return OutlierAEGMM.from_sizes(6, [4, 1], [4, 2], threshold=0.0, seed=3)


@pytest.fixture(scope="module")
def rows(normal_rows):
    return normal_rows[:200]


class SecondFit(keras.callbacks.Callback):
    """Tries another fit in the same folder, while the first goes on."""

    def __init__(self, rows, folder):
        super().__init__()
        self._others = rows, folder
        self.errors = []

    def on_epoch_begin(self, epoch, logs=None):
        rows, folder = self._others
        try:
            small().fit(rows, **QUICK, checkpoint_dir=folder)
        except Exception as error:
            self.errors.append(error)

    def get_state(self):
        return None

    def set_state(self, state):
        pass


def test_a_second_fit_in_the_folder_is_one_clear_error(rows, tmp_path):
    second = SecondFit(rows, tmp_path)
    history = small().fit(rows, **QUICK, callbacks=[second], checkpoint_dir=tmp_path)
    assert history.epoch == [0, 1]
    assert [type(error) for error in second.errors] == [CheckpointError] * 2
    assert f"Another fit goes on in {tmp_path}" in str(second.errors[0])
    assert os.listdir(tmp_path) == [FILE_NAME]


def test_the_lock_ends_with_the_fit_however_that_ends(rows, tmp_path):
    class CutOff(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise KeyboardInterrupt

    # The error keeps the frames of the fit alive, and with them all that they hold.
    with pytest.raises(KeyboardInterrupt) as caught:
        small().fit(rows, **QUICK, callbacks=[CutOff()], checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match="another fit"):
        small().fit(rows * 2, **QUICK, callbacks=[CutOff()], checkpoint_dir=tmp_path)
    assert os.listdir(tmp_path) == [FILE_NAME]
    (tmp_path / FILE_NAME).unlink()
    small().fit(rows, **QUICK, checkpoint_dir=tmp_path)
    assert any("_fit" in entry.name for entry in caught.traceback)


def test_a_fit_that_fails_before_it_begins_holds_nothing(rows, tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(OutlierAEGMM, "start", fail)
        with pytest.raises(MemoryError):
            small().fit(rows, **QUICK, checkpoint_dir=tmp_path)
    gc.collect()
    assert os.listdir(tmp_path) == []
    small().fit(rows, **QUICK, checkpoint_dir=tmp_path)


def test_a_killed_process_does_not_block_the_next(rows, tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path; "
        "from aegmm_detect.files import lock_file; lock_file(Path(sys.argv[1])); "
        "print('held', flush=True); signal.pause()"
    )
    lock = tmp_path / LOCK_NAME
    command = [sys.executable, "-c", program, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(CheckpointError, match="Another fit goes on"):
                small().fit(rows, **QUICK, checkpoint_dir=tmp_path)
        finally:
            other.kill()
    assert lock.exists()
    small().fit(rows, **QUICK, checkpoint_dir=tmp_path)
    assert os.listdir(tmp_path) == [FILE_NAME]


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("elsewhere"), os.mkdir])
def test_a_lock_that_is_no_file_is_an_error(rows, tmp_path, make):
    make(tmp_path / LOCK_NAME)
    with pytest.raises(CheckpointError, match="Delete it, or choose another"):
        small().fit(rows, **QUICK, checkpoint_dir=tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_pipe_in_its_place_is_not_waited_for(rows, tmp_path):
    os.mkfifo(tmp_path / LOCK_NAME)
    small().fit(rows, **QUICK, checkpoint_dir=tmp_path)
    assert os.listdir(tmp_path) == [FILE_NAME]


def test_a_lock_can_be_taken_once(tmp_path):
    path = tmp_path / "lock"
    held = lock_file(path)
    with pytest.raises(BlockingIOError):
        lock_file(path)
    unlock_file(path, held)
    assert not path.exists()
    unlock_file(path, lock_file(path))
