"""The command writes results, the other makes a table of them."""

import importlib
import json
from pathlib import Path

import pytest

from aegmm_detect import datasets
from aegmm_detect.evaluation import PROTOCOLS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def module(monkeypatch):
    """Import a module of `benchmarks`, which is not installed with the package."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def test_one_command_measures_and_another_makes_a_table(module, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    quality, table = module("quality"), module("quality_table")
    command = ["--data", "thyroid", "--runs", "2", "--out", str(tmp_path)]
    command += ["--contenders", "mahalanobis", "robust-l1"]
    quality.main([*command, "--protocol", "A"])
    progress = capsys.readouterr().err
    assert progress.count("F1 0.") == 4
    quality.main([*command, "--protocol", "A"])
    assert "F1" not in capsys.readouterr().err  # all there already
    quality.main([*command, "--protocol", "B", "--rho", ".01", "--dedup", "--fixed-split"])
    paths = sorted(tmp_path.iterdir())
    names = ["thyroid-A.json", "thyroid-B-rho0.01-dedup-fixedsplit.json"]
    assert [path.name for path in paths] == names
    assert json.loads(paths[0].read_text())["options"]["ratio"] == 0.025
    capsys.readouterr()

    table.main([str(path) for path in paths])
    text = capsys.readouterr().out
    assert "\nthyroid, protocol A\n~~~~" in text
    assert "protocol B (1 % anomalies in training, distinct rows only, one split" in text
    # The simple one wins, and is marked.
    assert "   * - **robust-l1** (best F1)\n" in text
    plain, departing = text.split("thyroid, protocol B")
    assert "*DAGMM* [Zong et al. (2018)" in plain
    assert "47.8" in plain
    assert "Zong" not in departing
    for row in plain.split("   * - ")[1:]:
        assert row.split("\n\n")[0].count("\n     - ") == 8


def test_published_numbers_have_a_source_and_a_protocol():
    published = json.loads((ROOT / "benchmarks" / "published.json").read_text())
    keys = {"dataset", "protocol", "method", "precision", "recall", "f1", "f1_sd", "runs"}
    for entry in published:
        assert entry["dataset"] in datasets.available()
        assert entry["protocol"] in PROTOCOLS
        assert entry["source"]
        assert set(entry) <= keys | {"source", "note"}
        assert 0 < entry["f1"] < 1
        if "precision" in entry and entry.get("runs") == 1:
            p, r = entry["precision"], entry["recall"]
            assert entry["f1"] == pytest.approx(2 * p * r / (p + r), abs=1e-3)
    named = [(e["dataset"], e["protocol"], e["method"], e["source"]) for e in published]
    assert len(set(named)) == len(named)


def test_a_contender_can_be_any_detector_of_the_registry(module):
    quality = module("quality")
    assert list(quality.contenders(["OutlierAEGMM", "ours"])) == ["OutlierAEGMM", "ours"]
    assert "untrained" in quality.contenders(None)
    # Only where there is something to tell.
    assert quality.TOLD not in quality.contenders(None)
    told = quality.contenders(None, rho=0.05)[quality.TOLD](6, 0).detector
    assert told.fit_config.density.trim == 0.1
