"""The command writes results, the other makes a table of them."""

import importlib
import json
from pathlib import Path

import pytest

from aegmm_detect import datasets
from aegmm_detect.evaluation import PROTOCOLS
from aegmm_detect.evaluation.metrics import METRICS
from aegmm_detect.evaluation.store import same_settings
from tests.own_detectors import OWN

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
        assert set(entry) <= keys | {"source", "note", "variant"}
        assert entry.get("variant", "OutlierAEGMM") in OWN
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


def stored(name, protocol, contenders, rho=0.0):
    """A file of results: F1 .1 for the first contender, .2 for the second, and so on."""

    def run(number, contender, seed):
        metrics = dict.fromkeys(METRICS, 0.1 * number + 0.01 * seed)
        return {
            "contender": contender,
            "split_seed": seed,
            "model_seed": seed,
            "failure": None,
            "metrics": metrics,
            "recall_by_kind": None,
            "fit_seconds": 1.0,
            "score_seconds": 1.0,
        }

    seeds = {"ours": 4}
    return {
        "dataset": {"name": name},
        "protocol": protocol,
        "options": {
            "rho": rho,
            **dict.fromkeys(("holdout", "max_train", "ratio", "dedup", "fixed_split")),
        },
        "runs": [
            run(number, contender, seed)
            for number, contender in enumerate(contenders, 1)
            for seed in range(seeds.get(contender, 2))
        ],
    }


def test_the_family_is_compared_on_the_runs_that_it_shares(module):
    table = module("family_table")
    published = json.loads((ROOT / "benchmarks" / "published.json").read_text())
    results = [
        stored("kdd99", "C", ["ours", "OutlierVAEGMM"]),
        stored("thyroid", "A", ["ours", "ours-told", "OutlierLabelledAEGMM"], rho=0.02),
        stored("arrhythmia", "A", ["ours", "1-nn"]),
    ]
    text = table.render(results, published)
    assert "arrhythmia" not in text  # no relative has run there
    rows = [row.split("\n     - ") for row in text.split("   * - ")[1:]]
    cells = {(row[0], row[1]): row for row in rows}
    assert cells["kdd99 C", "OutlierAEGMM"][2] == "10.5 ± 0.7"  # the first two of its four runs
    assert cells["kdd99 C", "OutlierVAEGMM"][5] == "+10.0 (0.0)"
    labelled = cells["thyroid A, 2 % anomalies in training", "OutlierLabelledAEGMM"]
    assert labelled[5] == "+20.0 (0.0)"
    (theirs,) = (row for row in rows if "VAE" in row[1] and "GitHub" in row[1])
    assert theirs[2] == "96.4 / 94.6 / 95.5"
    assert theirs[3].startswith("20.5 ± 0.7")
    assert "GitHub" not in table.render(results[1:], published)


RESULTS = sorted((ROOT / "benchmarks" / "results" / "quality").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=[path.stem for path in RESULTS])
def test_stored_results_are_those_of_the_settings_that_there_are(module, path):
    """Else a table would show what nobody can run any more."""
    content = json.loads(path.read_text())
    n_features, rho = content["dataset"]["features"], content["options"]["rho"]
    names = sorted({run["contender"] for run in content["runs"]})
    for name, factory in module("quality").contenders(names, rho).items():
        model = factory(n_features, 0)
        now = json.loads(json.dumps(model.describe() if hasattr(model, "describe") else None))
        runs = [run for run in content["runs"] if run["contender"] == name]
        assert all(same_settings(run["config"], now) for run in runs), name
