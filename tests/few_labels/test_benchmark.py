"""The benchmark of few labels runs, and goes on where it stopped."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

# Keras copies a net through the bytes of a saved one, and NumPy warns of how it reads the weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.fixture
def module(monkeypatch, tmp_path):
    """`benchmarks.few_labels` with a toy in place of the data, and little training."""
    monkeypatch.syspath_prepend(ROOT)
    few_labels = importlib.import_module("benchmarks.few_labels")

    def toy(seed):
        rng = np.random.default_rng(seed)
        y = rng.integers(3, size=1200)
        X = rng.normal(size=(1200, 5)) + 3.0 * y[:, None]
        return few_labels.Labelled(X[:600], y[:600], X[600:], y[600:])

    monkeypatch.setattr(few_labels, "DATA", {"toy": toy})
    monkeypatch.setattr(few_labels, "PRETRAINING", {"epochs": 1, "batch_size": 256})
    monkeypatch.setattr(few_labels, "HIDDENS", (6, 3))
    monkeypatch.setattr(few_labels, "EPOCHS", 1)
    monkeypatch.setattr(few_labels, "FROZEN_EPOCHS", 1)
    monkeypatch.setenv("AEGMM_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    return few_labels


def test_one_command_measures_prints_and_goes_on(module, tmp_path, capsys, monkeypatch):
    out = tmp_path / "few_labels.json"
    command = ["--seeds", "1", "--shares", "0.1", "--out", str(out)]
    everything = module.CONTENDERS
    some = {name: everything[name] for name in ("random forest", "AEGMM")}
    monkeypatch.setattr(module, "CONTENDERS", some)
    module.main(command)
    printed, said = capsys.readouterr()
    assert said.count("\n") == len(some)
    first = json.loads(out.read_text())["runs"]
    assert {run["sizes"]["labelled"] for run in first} == {60}
    for run in first:
        assert f"{100 * run['metrics']['macro_f1']:.1f} ± --" in printed
    monkeypatch.setattr(module, "CONTENDERS", everything)
    module.main(command)
    _, said = capsys.readouterr()
    assert said.count("\n") == len(everything) - len(some)
    assert [run for run in json.loads(out.read_text())["runs"] if run in first] == first


def test_chiller_rows_are_split_by_blocks_of_time(module, monkeypatch):
    blocks = np.repeat(np.arange(6), 10)
    kinds = np.tile([0, 110, 220, 310, 440], 12)
    X = np.arange(60.0)[:, None]
    monkeypatch.setattr(module, "fetch", lambda source: None)
    monkeypatch.setattr(module.tasks, "chiller", lambda: (X, kinds, blocks))
    for seed in (0, 1):
        data = module.chiller(seed)
        train, test = (part[:, 0].astype(int) for part in (data.X, data.X_test))
        assert set(blocks[train] % 2) == {seed}
        assert set(blocks[test] % 2) == {1 - seed}
        # No fault but those of the least severity.
        np.testing.assert_array_equal(data.y, kinds[train] // 100)
        assert set(kinds[train]) | set(kinds[test]) == {0, 110, 310}


def test_labelled_rows_are_a_share_of_each_class_and_go_with_the_seed(module):
    y = np.repeat([0, 1, 2], [600, 300, 100])
    one, again, other = (module.labelled_rows(y, 0.03, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert set(one) != set(other)
    np.testing.assert_array_equal(np.bincount(y[one]), [18, 9, 3])


def test_every_attack_has_one_category(module):
    kinds = [kind for kinds in module.CATEGORIES.values() for kind in kinds.split()]
    assert len(kinds) == len(set(kinds)) == 39
