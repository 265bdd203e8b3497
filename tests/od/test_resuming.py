"""Fits that are cut off go on, and end as if nothing had happened: bit for bit."""

import csv
import json
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import CheckpointError, ConfigurationError, NonFiniteLossError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.training import checkpoint_file, length
from aegmm_detect.training.checkpoint import FILE_NAME, Checkpoint
from tests.od import killed_fits

ROOT = Path(__file__).parents[2]
EPOCHS = 3
QUICK = {"epochs": EPOCHS, "verbose": 0, "jit_compile": False}
KILLED = -signal.SIGKILL


def test_a_fit_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path):
    if sys.platform != "linux":
        pytest.skip("the program forks after TensorFlow is loaded, and looks into /proc")
    run = subprocess.run(
        [sys.executable, "-m", "tests.od.killed_fits", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    killed_fits.fit(None, tmp_path / "unbroken.npz")
    # How each ended, and how many epochs it left for the next: no more than one is lost.
    left = [None, [0, False], [0, False], [1, False], [3, False], [5, False], [5, True], [5, True]]
    assert report == {
        "killed": [[KILLED, epochs] for epochs in left],
        "resumed": 0,
    }, run.stderr
    assert not (tmp_path / "early.npz").exists()
    with (
        np.load(tmp_path / "unbroken.npz") as unbroken,
        np.load(tmp_path / "resumed.npz") as resumed,
    ):
        assert unbroken.files == resumed.files
        for name in unbroken.files:
            np.testing.assert_array_equal(resumed[name], unbroken[name])


class CutOffError(Exception):
    """Instead of a signal, where the process has to live on."""


class CutOff(keras.callbacks.Callback):
    """Ends a fit when an epoch begins, if it is told to; remembers the epochs of this process."""

    def __init__(self):
        super().__init__()
        self.cut, self.seen = None, []

    def at(self, epoch):
        self.cut = epoch
        return self

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.cut:
            raise CutOffError
        self.seen.append(epoch)

    def get_state(self):
        return None

    def set_state(self, state):
        pass


def small(**settings):
    settings = {"normalize": "standard", "threshold": 0.0, "seed": 3, **settings}
    return OutlierAEGMM.from_sizes(6, [1], [4, 2], **settings)


def ensemble():
    usual = OutlierAEGMM.auto(6, ensemble=2)
    # Parts of a pass, or several: the recipe's epochs are no passes.
    recipe = usual.fit_config.replace(n_steps=60, max_passes=None, batch_size=64)
    return OutlierAEGMM.from_blueprint(usual.blueprint, recipe, threshold=0.0, seed=3)


@pytest.fixture(scope="module")
def rows(normal_rows):
    return normal_rows[:200]


def fitted(detector, rows, folder=None, cut=None, **settings):
    """Fit to the end, or until an epoch begins: scores, weights, epochs that were trained."""
    watcher = CutOff().at(cut)
    settings = {**QUICK, "callbacks": [watcher], "checkpoint_dir": folder, **settings}
    if cut is not None:
        with pytest.raises(CutOffError):
            detector.fit(rows, **settings)
        assert not detector.fitted
        return None
    history = detector.fit(rows, **settings)
    read = rows() if callable(rows) else rows
    scores = detector.score(np.concatenate(list(read)) if callable(rows) else read)
    return {
        "scores": scores,
        "weights": detector.net.get_weights(),
        "history": (history.epoch, history.history),
        "epochs": watcher.seen,
    }


def assert_same(got, want):
    for name in ("scores", "weights", "history"):
        np.testing.assert_equal(got[name], want[name])


@pytest.fixture(scope="module")
def whole(rows):
    """What `small` makes of the rows in one go, without any checkpoint."""
    return fitted(small(), rows)


@pytest.fixture(scope="module")
def finished(rows, tmp_path_factory):
    """Folder of a fit of `small` that was cut off, and ended the second time; what that gave."""
    folder = tmp_path_factory.mktemp("finished")
    fitted(small(), rows, folder, cut=2)
    return folder, fitted(small(), rows, folder)


def test_a_checkpoint_changes_nothing_and_only_what_is_missing_is_trained(whole, finished):
    _, got = finished
    assert_same(got, whole)
    assert whole["epochs"] == [0, 1, 2]
    assert got["epochs"] == [2]


def test_a_finished_fit_is_loaded(rows, whole, finished):
    folder, _ = finished
    before = (folder / FILE_NAME).read_bytes()
    again = fitted(small(), rows, folder)
    assert_same(again, whole)
    assert again["epochs"] == []
    assert (folder / FILE_NAME).read_bytes() == before


def test_own_nets_take_their_weights_and_the_states_of_their_layers_from_the_file(
    make_nets, rows, tmp_path
):
    def make(seed):
        nets = make_nets(seed=seed, dropout=0.3, batch_norm=True)
        return OutlierAEGMM(threshold=0.0, normalize="standard", **nets)

    settings = {"seed": 5, "optimizer": keras.optimizers.SGD(0.01, momentum=0.9)}
    want = fitted(make(0), rows, **settings)
    for cut in (0, 2):
        fitted(make(cut), rows, tmp_path, cut=cut, **settings)
    assert_same(fitted(make(7), rows, tmp_path, **settings), want)


def test_an_ensemble_and_its_falling_learning_rate_go_on(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(length, "MIN_STEPS_PER_EPOCH", 20)  # of five passes, then
    settings = {name: QUICK[name] for name in ("verbose", "jit_compile")}

    def fit(folder=None, cut=None):
        detector, watcher = ensemble(), CutOff().at(cut)
        try:
            history = detector.fit(rows, **settings, callbacks=[watcher], checkpoint_dir=folder)
        except CutOffError:
            return None
        return {
            "scores": detector.score(rows),
            "weights": detector.net.get_weights(),
            "history": (history.epoch, history.history),
        }

    want = fit()
    assert len(want["history"][0]) == 3
    assert fit(tmp_path, cut=1) is None
    assert_same(fit(tmp_path), want)


def test_a_stream_is_read_up_to_where_it_was(rows, tmp_path):
    def batches():
        yield from np.array_split(rows, 7)

    want = fitted(small(), batches)
    fitted(small(), batches, tmp_path, cut=2)
    got = fitted(small(), batches, tmp_path)
    assert_same(got, want)
    assert got["epochs"] == [2]


def test_a_seed_is_drawn_and_kept(rows, tmp_path):
    fitted(small(seed=None), rows, tmp_path, cut=1, validation_split=0.2)
    got = fitted(small(seed=None), rows, tmp_path, validation_split=0.2)
    seed = checkpoint_file.read(tmp_path / FILE_NAME)["seed"]
    assert_same(got, fitted(small(seed=seed), rows, validation_split=0.2))
    checkpoint = Checkpoint(tmp_path)
    assert [checkpoint.seed(given) for given in (None, None, 5)] == [seed, seed, 5]
    assert len({Checkpoint(tmp_path / "other").seed(None) for _ in range(3)}) == 3


def test_a_log_goes_on(rows, whole, tmp_path):
    for cut in (2, None):
        log = keras.callbacks.CSVLogger(str(tmp_path / "log.csv"), append=True)
        fitted(small(), rows, tmp_path, cut, callbacks=[log, CutOff().at(cut)])
        log.csv_file.close()
    epochs, history = whole["history"]
    lines = csv.DictReader((tmp_path / "log.csv").read_text().splitlines())
    assert [(int(line["epoch"]), float(line["loss"])) for line in lines] == list(
        zip(epochs, history["loss"], strict=True)
    )


def doubled(rows):
    return rows * 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        # Scaled, they are the same again.
        ({"rows": doubled}, r"the rows' scaling \(other rows, or another normalize=\)"),
        ({"rows": lambda rows: rows[::-1]}, "the values of the rows, or their order"),
        ({"rows": lambda rows: rows[:-1]}, r"rows\.number \(200 there, 199 here\)"),
        ({"w_energy": 0.2}, r"settings\.w_energy \(0\.1 there, 0\.2 here\)"),
        ({"epochs": 4}, r"settings\.epochs \(3 there, 4 here\)"),
        ({"seed": 4}, r"settings\.seed \(3 there, 4 here\)"),
        ({"optimizer": "sgd"}, r"optimizer\.class \('Adam' there, 'SGD' here\)"),
        ({"callbacks": []}, "callbacks"),
        (
            {"make": lambda: small(normalize="minmax")},
            r"settings\.normalize \('standard' there, 'minmax' here\)",
        ),
        (
            {"make": lambda: OutlierAEGMM.from_sizes(6, [2, 1], [4, 2], threshold=0.0, seed=3)},
            r"nets\.weights",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_another_fit_is_refused_and_nothing_is_changed(rows, finished, change, named):
    folder, _ = finished
    before = (folder / FILE_NAME).read_bytes()
    detector = change.pop("make", small)()
    weights = detector.net.get_weights()
    X = change.pop("rows", lambda rows: rows)(rows)
    settings = {**QUICK, "callbacks": [CutOff()], "checkpoint_dir": folder, **change}
    with pytest.raises(CheckpointError, match=named) as caught:
        detector.fit(X, **settings)
    assert str(folder) in str(caught.value)
    assert "choose another checkpoint_dir" in str(caught.value)
    np.testing.assert_equal(detector.net.get_weights(), weights)
    assert (folder / FILE_NAME).read_bytes() == before


def test_a_refusal_leaves_a_fitted_detector_as_it_is(fitted_twice_refused, rows):
    detector, scores = fitted_twice_refused
    assert detector.fitted
    np.testing.assert_array_equal(detector.score(rows), scores)


@pytest.fixture
def fitted_twice_refused(rows, finished, tmp_path):
    detector = small()
    detector.fit(rows, **QUICK)
    scores = detector.score(rows)
    (tmp_path / FILE_NAME).write_bytes((finished[0] / FILE_NAME).read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        detector.fit(rows, **QUICK, checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match="another fit"):
        detector.fit(doubled(rows), **QUICK, checkpoint_dir=finished[0])
    return detector, scores


def test_after_nan_the_last_finite_epoch_is_still_there(rows, whole, tmp_path):
    class Spoil(CutOff):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == self.cut:
                self.model.net.set_weights([w * np.nan for w in self.model.net.get_weights()])

    with pytest.raises(NonFiniteLossError) as caught:
        small().fit(rows, **QUICK, checkpoint_dir=tmp_path, callbacks=[Spoil().at(2)])
    (note,) = caught.value.__notes__
    assert str(tmp_path / FILE_NAME) in note
    assert checkpoint_file.read(tmp_path / FILE_NAME)["epochs"] == 2
    # Had it been the machine's fault, the same call would end well.
    assert_same(fitted(small(), rows, tmp_path, callbacks=[Spoil()]), whole)


def test_the_page_on_resuming_runs_as_written(rows, tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "resuming.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"^\.\. code-block:: python\n\n((?: {3}.*\n|\n)+)", page, re.MULTILINE)
    assert len(blocks) == 3
    monkeypatch.chdir(tmp_path)
    names = {"X_train": rows, "X_new": rows[:5]}
    for block in blocks:
        exec(compile(textwrap.dedent(block), "resuming.rst", "exec"), names)
    gone, epochs, refused = capsys.readouterr().out.splitlines()
    assert gone == "the power is gone"
    assert epochs == "[0, 1, 2, 3, 4]"
    assert "settings.epochs (5 there, 6 here)" in refused


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        (3, "is not a folder that"),
        ("file", "is a file"),
        ("file/below", "is a file, or leads through"),
    ],
)
def test_what_cannot_be_a_folder_is_refused(rows, tmp_path, folder, told):
    (tmp_path / "file").write_text("")
    folder = tmp_path / folder if isinstance(folder, str) else folder
    with pytest.raises(ConfigurationError, match=rf"checkpoint_dir=.* {told}"):
        small().fit(rows, **QUICK, checkpoint_dir=folder)


def test_an_empty_name_is_not_the_working_directory(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="names no folder: is an environment variable"):
        small().fit(rows, **QUICK, checkpoint_dir="")
    assert not any(tmp_path.iterdir())
