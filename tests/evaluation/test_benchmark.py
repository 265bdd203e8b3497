"""Benchmarks resume, record failures, and pair their contenders."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from aegmm_detect.datasets import Dataset
from aegmm_detect.evaluation import BASELINES, SplitOptions, auto, benchmark, make_split, run
from aegmm_detect.evaluation.metrics import METRICS
from aegmm_detect.evaluation.store import same_settings
from aegmm_detect.evaluation.summary import paired_differences, spread
from aegmm_detect.exceptions import ConfigurationError


def make_data(name="toy", seed=0, kinds=True):
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [160, 40])
    X = rng.normal(size=(200, 3)) + 2.0 * y[:, None]
    return Dataset(
        name=name,
        X=np.concatenate([X, X[:20]]),
        y=np.concatenate([y, y[:20]]).astype(np.int64),
        feature_names=("a", "b", "c"),
        anomaly="shifted rows",
        licence="none",
        citation="none",
        kinds=np.where(np.arange(220) % 2, "odd", "even") if kinds else None,
    )


DATA = make_data()
CHEAP = {name: BASELINES[name] for name in ("mahalanobis", "robust-l1")}


class Noisy:
    """Scores that depend on the seed, and a record of what was seen."""

    def __init__(self, seed, scale=1.0):
        self.seed, self.scale = seed, scale

    def fit(self, X):
        self.trained_on = X

    def score(self, X):
        return X.sum(axis=1) + np.random.default_rng(self.seed).normal(size=len(X), scale=2.0)

    def describe(self):
        return {"scale": self.scale}


def noisy(n_features, seed):
    return Noisy(seed)


def broken(n_features, seed):
    if seed == 1:
        raise RuntimeError("no such luck in /some/where/private/file.py")
    return Noisy(seed)


class Nan(Noisy):
    def score(self, X):
        return np.full(len(X), np.nan)


def without_times(content):
    content = json.loads(json.dumps(content))
    for entry in (*content["runs"], *content["summary"].values()):
        entry.pop("fit_seconds", None)
        entry.pop("score_seconds", None)
    return content


@pytest.mark.parametrize("protocol", ["A", "B", "B-fix", "C", "D"])
def test_every_protocol_runs_and_the_file_is_what_is_returned(tmp_path, protocol):
    path = tmp_path / "deep" / "results.json"
    content = run(DATA, protocol, CHEAP, path, n_runs=2, reference="robust-l1")
    assert json.loads(path.read_text()) == content
    assert [p.name for p in path.parent.iterdir()] == ["results.json"]
    assert content["protocol"] == protocol
    assert content["dataset"]["rows"] == 220
    assert len(content["runs"]) == 4
    for record in content["runs"]:
        assert record["failure"] is None
        assert set(record["metrics"]) == set(METRICS)
        assert record["metrics"]["auroc"] > 0.8
        assert record["sizes"]["train_anomalies"] == 0
        assert set(record["recall_by_kind"]) == {"odd", "even"}
    assert set(content["summary"]["mahalanobis"]["minus_reference"]) == set(METRICS)


def test_an_interrupted_benchmark_ends_with_the_file_of_an_uninterrupted_one(tmp_path):
    contenders = {**CHEAP, "noisy": noisy}
    whole = run(DATA, "D", contenders, tmp_path / "whole.json", n_runs=3)

    def interrupt(record, done, total):
        if done == 5:
            raise KeyboardInterrupt

    path = tmp_path / "parts.json"
    with pytest.raises(KeyboardInterrupt):
        run(DATA, "D", contenders, path, n_runs=3, progress=interrupt)
    assert len(json.loads(path.read_text())["runs"]) == 5

    fitted = []
    resumed = run(
        DATA, "D", contenders, path, n_runs=3, progress=lambda record, *_: fitted.append(record)
    )
    assert len(fitted) == 4
    assert without_times(resumed) == without_times(whole)
    again = run(DATA, "D", contenders, path, n_runs=3, progress=lambda *_: pytest.fail("repeated"))
    assert again == resumed


def test_a_kill_while_writing_leaves_the_last_complete_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    before = run(DATA, "A", CHEAP, path, n_runs=1)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(DATA, "A", CHEAP, path, n_runs=2)
    assert json.loads(path.read_text()) == before
    assert len(run(DATA, "A", CHEAP, path, n_runs=2)["runs"]) == 4
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


def test_failures_are_recorded_and_others_go_on(tmp_path):
    contenders = {"broken": broken, "nan": lambda _, seed: Nan(seed), "noisy": noisy}
    path = tmp_path / "results.json"
    content = run(DATA, "A", contenders, path, n_runs=2, reference="broken")
    failures = {(r["contender"], r["model_seed"]): r["failure"] for r in content["runs"]}
    assert failures["broken", 1] == "RuntimeError: no such luck in <path>"
    assert failures["nan", 0].startswith("InvalidInputError: 110 of 110 scores are NaN")
    assert failures["noisy", 0] is failures["noisy", 1] is failures["broken", 0] is None
    summary = content["summary"]
    assert (summary["broken"]["finished"], summary["broken"]["failed"]) == (1, 1)
    assert summary["nan"]["metrics"]["f1"] == {"n": 0, "mean": None, "sd": None, "se": None}
    assert summary["noisy"]["minus_reference"]["f1"]["n"] == 1

    repeated = []
    options = {"n_runs": 2, "progress": lambda record, *_: repeated.append(record)}
    run(DATA, "A", contenders, path, **options)
    assert repeated == []
    run(DATA, "A", contenders | {"broken": noisy}, path, retry_failed=True, **options)
    assert sorted(r["contender"] for r in repeated) == ["broken", "nan", "nan"]


def test_a_contender_with_other_settings_starts_anew(tmp_path):
    path = tmp_path / "results.json"
    run(DATA, "A", {"noisy": noisy, **CHEAP}, path, n_runs=3)
    content = run(DATA, "A", {"noisy": lambda _, seed: Noisy(seed, 2.0)}, path, n_runs=2)
    mine = [r for r in content["runs"] if r["contender"] == "noisy"]
    assert [r["config"] for r in mine] == [{"scale": 2.0}] * 2
    assert content["summary"]["robust-l1"]["finished"] == 3  # the others stay


def test_contenders_of_a_run_see_the_same_rows_and_runs_differ(tmp_path):
    seen = {}

    def watched(name):
        def make(n_features, seed):
            model = seen[name, seed] = Noisy(seed)
            return model

        return make

    contenders = {"one": watched("one"), "two": watched("two")}
    run(DATA, "B", contenders, tmp_path / "varying.json", n_runs=2, seed=5)
    assert sorted(seen) == [("one", 5), ("one", 6), ("two", 5), ("two", 6)]
    rows = {key: model.trained_on for key, model in seen.items()}
    np.testing.assert_array_equal(rows["one", 5], rows["two", 5])
    assert not np.array_equal(rows["one", 5], rows["one", 6])
    run(DATA, "B", contenders, tmp_path / "fixed.json", n_runs=2, seed=5, fixed_split=True)
    np.testing.assert_array_equal(seen["one", 6].trained_on, rows["one", 5])


def test_dedup_and_options_are_part_of_the_record(tmp_path):
    options = SplitOptions(rho=0.1)
    content = run(
        DATA, "A", CHEAP, tmp_path / "results.json", n_runs=1, dedup=True, options=options
    )
    assert content["dataset"]["rows"] == 200
    assert content["dataset"]["rows_before_dedup"] == 220
    assert content["options"]["dedup"] is True
    assert content["options"]["rho"] == 0.1
    assert content["runs"][0]["sizes"]["train_anomalies"] > 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data": make_data(seed=1)}, "another dataset"),
        ({"protocol": "B"}, "another protocol"),
        ({"options": SplitOptions(max_train=50)}, "another options"),
        ({"fixed_split": True}, "another options"),
    ],
)
def test_results_of_different_benchmarks_are_not_mixed(tmp_path, changed, message):
    path = tmp_path / "results.json"
    settings = {"data": DATA, "protocol": "A", "contenders": CHEAP, "path": path, "n_runs": 1}
    run(**settings)
    before = path.read_text()
    with pytest.raises(ConfigurationError, match=message):
        run(**settings | changed)
    assert path.read_text() == before


def test_other_files_are_left_alone(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("[1, 2")
    with pytest.raises(ConfigurationError, match="not a file of results"):
        run(DATA, "A", CHEAP, path)
    assert path.read_text() == "[1, 2"


@pytest.mark.parametrize("wrong", [{"n_runs": 0}, {"reference": "nobody"}])
def test_settings_that_do_not_fit_are_refused(tmp_path, wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        run(DATA, "A", CHEAP, tmp_path / "results.json", **wrong)


def test_data_without_kinds_have_no_recall_by_kind(tmp_path):
    content = run(make_data(kinds=False), "A", CHEAP, tmp_path / "results.json", n_runs=1)
    assert content["runs"][0]["recall_by_kind"] is None
    assert "recall_by_kind" not in content["summary"]["robust-l1"]


def test_the_spread_is_that_of_the_textbook():
    values = [0.5, 0.75, 1.0, 0.25]
    found = spread(values)
    assert found["sd"] == pytest.approx(np.std(values, ddof=1))
    assert found["se"] == pytest.approx(stats.sem(values))
    assert spread([0.5]) == {"n": 1, "mean": 0.5, "sd": None, "se": None}


def test_paired_differences_take_the_splits_out():
    rng = np.random.default_rng(0)
    split_effect, noise = rng.normal(size=(2, 30))

    def record(i, value):
        metrics = dict.fromkeys(METRICS, value)
        return {"split_seed": i, "model_seed": i, "failure": None, "metrics": metrics}

    ours = [record(i, split_effect[i] + 0.5) for i in range(30)]
    theirs = [record(i, split_effect[i] + 0.01 * noise[i]) for i in range(29, -1, -1)]
    found = paired_differences(ours, theirs)["f1"]
    assert found["mean"] == pytest.approx(0.5 - 0.01 * noise.mean())
    assert found["se"] == pytest.approx(0.01 * noise.std(ddof=1) / math.sqrt(30))


def test_the_model_never_sees_a_label_or_a_test_row_in_training():
    split = make_split(DATA.y, "C", 0)
    model = Noisy(0)
    found = benchmark.measure(model, DATA, split)
    np.testing.assert_array_equal(model.trained_on, DATA.X[split.train])
    assert found["scored_rows"] == len(split.train) + len(split.test)  # C reads training scores


def test_labels_of_training_rows_go_to_models_that_learn_from_them_alone():
    class Labelled(Noisy):
        learns_from_labels = True

        def fit(self, X, y):
            self.trained_on, self.labels = X, y

    split = make_split(DATA.y, "A", 0, SplitOptions(rho=0.1))
    model = Labelled(0)
    benchmark.measure(model, DATA, split)
    np.testing.assert_array_equal(model.trained_on, DATA.X[split.train])
    np.testing.assert_array_equal(model.labels, DATA.y[split.train])
    assert model.labels.any()
    assert auto("OutlierLabelledAEGMM")(3, 0).learns_from_labels
    assert not auto("OutlierAEGMM")(3, 0).learns_from_labels


def test_a_new_option_that_is_off_voids_no_results(tmp_path):
    def made(**config):
        def factory(_, seed):
            model = Noisy(seed)
            model.describe = lambda: {"scale": 1.0, **config}
            return model

        return factory

    path = tmp_path / "results.json"
    run(DATA, "A", {"noisy": made()}, path, n_runs=3)
    content = run(DATA, "A", {"noisy": made(new=0.0, more={})}, path, n_runs=4)
    assert len(content["runs"]) == 4
    content = run(DATA, "A", {"noisy": made(new=0.5)}, path, n_runs=1)
    assert len(content["runs"]) == 1


def test_the_number_of_nets_is_part_of_the_settings():
    four, one = auto("OutlierAEGMM"), auto("OutlierAEGMM", ensemble=1)
    assert not same_settings(four(6, 0).describe(), one(6, 0).describe())
    assert same_settings(four(6, 0).describe(), four(6, 1).describe())


def test_differences_stay_when_others_are_run_later(tmp_path):
    path = tmp_path / "results.json"
    run(DATA, "A", {"noisy": noisy, **CHEAP}, path, n_runs=2, reference="noisy")
    content = run(DATA, "A", CHEAP, path, n_runs=3)
    assert content["reference"] == "noisy"
    assert content["summary"]["robust-l1"]["minus_reference"]["f1"]["n"] == 2


def test_test_rows_that_equal_training_rows_are_counted(tmp_path):
    """The last 20 rows of the data are its first ones again."""
    content = run(DATA, "A", CHEAP, tmp_path / "a.json", n_runs=1)
    split = make_split(DATA.y, "A", 0)
    train = {row.tobytes() for row in DATA.X[split.train]}
    want = sum(row.tobytes() in train for row in DATA.X[split.test])
    assert content["runs"][0]["sizes"]["test_equal_to_train"] == want > 0
    content = run(DATA, "A", CHEAP, tmp_path / "b.json", n_runs=1, dedup=True)
    assert content["runs"][0]["sizes"]["test_equal_to_train"] == 0


def test_runs_that_are_not_repeated_are_told(tmp_path, caplog):
    class Mute:
        def __init__(self, seed):
            self.seed = seed

        def fit(self, X):
            if self.seed == 1:
                raise RuntimeError("no luck")

        def score(self, X):
            return X.sum(axis=1)

    class Other(Mute):
        pass

    path = tmp_path / "results.json"
    first = {"mine": lambda _, seed: Mute(seed)}
    run(DATA, "A", first, path, n_runs=2)
    assert not caplog.text
    run(DATA, "A", first, path, n_runs=2)
    assert "1 runs of mine" in caplog.text
    assert "retry_failed=True" in caplog.text
    assert "no describe()" in caplog.text
    # Another class is another model.
    content = run(DATA, "A", {"mine": lambda _, seed: Other(0)}, path, n_runs=1)
    assert [r["config"]["class"].split(".")[-1] for r in content["runs"]] == ["Other"]
