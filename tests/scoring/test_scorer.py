"""The light scorer answers as the detector that was exported."""

import concurrent.futures
import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aegmm_detect.configs.export import METADATA_FILE, MODEL_FILES
from aegmm_detect.exceptions import ArtefactError, MissingExtraError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.scoring import Scorer
from aegmm_detect.sealed_json import sealed

ROOT = Path(__file__).parents[2]
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="session")
def scorer(exported):
    return Scorer(exported)


@pytest.fixture(scope="session")
def flagging(make_nets, normal_rows, light_format, tmp_path_factory):
    """A detector that was fitted to a frame and flags NaN, and its export."""
    detector = OutlierAEGMM(threshold=3.0, nan_policy="flag", data_type="tabular", **make_nets())
    frame = pd.DataFrame(normal_rows, columns=list("abcdef"))
    detector.fit(frame, epochs=0, verbose=0, seed=0)
    path = tmp_path_factory.mktemp("flagging") / "export"
    detector.export(path, light_format)
    return detector, Scorer(path), frame


def test_predict_is_that_of_the_detector(scorer, fitted, normal_rows):
    for short in (False, True):
        got, want = (
            s.predict(normal_rows, return_instance_score=not short) for s in (scorer, fitted)
        )
        assert list(got) == list(want)
        assert got["meta"] == want["meta"]
        assert list(got["data"]) == list(want["data"])
        for name, value in want["data"].items():
            if value is None:
                assert got["data"][name] is None
            else:
                assert got["data"][name].dtype == value.dtype
                np.testing.assert_allclose(got["data"][name], value, **CLOSE)
    assert scorer.threshold == fitted.threshold


def test_callers_may_write_into_the_meta_they_get(scorer, fitted):
    scorer.predict(np.zeros((1, 6)))["meta"]["name"] = "mine"
    assert scorer.meta == fitted.meta


@pytest.mark.parametrize("n", [0, 1, 2, 63, 64, 65, 600])
def test_any_number_of_rows(scorer, fitted, normal_rows, n):
    data = scorer.predict(normal_rows[:n])["data"]
    assert data["is_outlier"].shape == (n,)
    assert data["is_outlier"].dtype == np.int64
    np.testing.assert_allclose(data["instance_score"], fitted.score(normal_rows[:n]), **CLOSE)


@pytest.mark.parametrize("batch_size", [1, 3, 100, 1e10])
def test_batches_and_spans_join(scorer, fitted, normal_rows, batch_size):
    times = 20 if batch_size > 100 else 1
    got = scorer.score(np.tile(normal_rows, (times, 1)), batch_size=batch_size)
    np.testing.assert_allclose(got, np.tile(fitted.score(normal_rows), times), **CLOSE)


def test_dtypes_frames_lists_and_streams(scorer, fitted, normal_rows):
    want = fitted.score(normal_rows)
    for X in (
        normal_rows.astype(np.float64),
        np.asfortranarray(normal_rows),
        pd.DataFrame(normal_rows),
        normal_rows.tolist(),
        lambda: iter([normal_rows[:10], normal_rows[10:]]),
    ):
        np.testing.assert_allclose(scorer.score(X), want, **CLOSE)


def test_threads_may_share_a_scorer(scorer, normal_rows):
    want = scorer.score(normal_rows)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for got in pool.map(scorer.score, [normal_rows] * 16):
            np.testing.assert_array_equal(got, want)


def test_a_scorer_pickles_as_its_path(scorer, exported, normal_rows):
    pickled = pickle.dumps(scorer)
    assert len(pickled) < 1000
    again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.score(normal_rows), scorer.score(normal_rows))
    assert repr(again) == f"Scorer({str(exported)!r})"


def test_a_relative_path_is_kept_as_an_absolute_one(exported, monkeypatch, normal_rows, tmp_path):
    monkeypatch.chdir(exported.parent)
    pickled = pickle.dumps(Scorer(exported.name))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(pickled).score(normal_rows[:3]).shape == (3,)


def test_errors_are_those_of_the_detector(scorer, fitted, normal_rows):
    bad = normal_rows[:9].copy()
    bad[[4, 7], 2] = [np.nan, np.inf]
    for X in (normal_rows[:, :5], normal_rows[0], bad, np.full((2, 6), 1e39), None, "rows"):
        with pytest.raises(ValueError, match=r"\w") as want:
            fitted.predict(X)
        with pytest.raises(type(want.value)) as got:
            scorer.predict(X)
        assert str(got.value) == str(want.value)


def test_rows_that_are_not_finite_can_be_flagged(flagging):
    detector, scorer, frame = flagging
    bad = frame.astype(np.float64)
    bad.iloc[[4, 7, 9], 2] = [np.nan, np.inf, 1e39]
    data = scorer.predict(bad)["data"]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(data["instance_score"])), [4, 7, 9])
    assert data["is_outlier"][[4, 7, 9]].tolist() == [1, 1, 1]
    np.testing.assert_array_equal(data["is_outlier"], detector.predict(bad)["data"]["is_outlier"])


def test_columns_are_checked_by_name(flagging):
    detector, scorer, frame = flagging
    for X in (frame[list("bacdef")], frame[list("abcde")]):
        with pytest.raises(ValueError, match="columns differ") as want:
            detector.score(X)
        with pytest.raises(type(want.value)) as got:
            scorer.score(X)
        assert str(got.value) == str(want.value)
    np.testing.assert_allclose(scorer.score(frame), detector.score(frame), **CLOSE)


def test_neither_tensorflow_nor_keras_nor_scikit_learn_is_loaded(exported):
    code = (
        "import sys, numpy as np; from aegmm_detect.scoring import Scorer; "
        "Scorer(sys.argv[1]).predict(np.zeros((3, 6)));"
        "print(*{'tensorflow', 'keras', 'sklearn', 'scipy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(exported)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.split() == []


def changed(exported, tmp_path, change):
    path = tmp_path / "copy"
    shutil.copytree(exported, path)
    change(path)
    return path


def _edit(seal=False, **values):
    def change(path):
        fields = json.loads((path / METADATA_FILE).read_text())
        assert fields.keys() >= values.keys()
        former = fields.pop("metadata_sha256")
        text = sealed(json.dumps(fields | values), "metadata_sha256")
        if not seal:
            text = json.dumps(json.loads(text) | {"metadata_sha256": former})
        (path / METADATA_FILE).write_text(text)

    return change


def _other_threshold(path):
    text = (path / METADATA_FILE).read_text()
    place = text.index('"threshold": ') + len('"threshold": ')
    digit = next(i for i in range(place, len(text)) if text[i].isdigit())
    other = str((int(text[digit]) + 1) % 10)
    (path / METADATA_FILE).write_text(text[:digit] + other + text[digit + 1 :])


def _truncate(path):
    model = next(p for p in path.iterdir() if p.name != METADATA_FILE)
    model.write_bytes(model.read_bytes()[:-100])


def _remove_model(path):
    next(p for p in path.iterdir() if p.name != METADATA_FILE).unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_truncate, "damaged"),
        (_remove_model, "missing"),
        (lambda path: (path / METADATA_FILE).unlink(), "no exported detector"),
        (lambda path: (path / METADATA_FILE).write_text("not JSON"), "not part of an exported"),
        (
            lambda path: (path / METADATA_FILE).write_text('{"kind": "other"}'),
            "not part of an exported",
        ),
        (_edit(format_version=3), r"reads up to 2\. Upgrade"),
        (_edit(nan_policy="flag"), "damaged or was edited"),
        (_edit(nan_policy="drop", seal=True), "does not fit its format: nan_policy"),
        (_other_threshold, "damaged or was edited"),
    ],
)
def test_what_is_no_export_is_one_clear_error(exported, tmp_path, change, message):
    path = changed(exported, tmp_path, change)
    with pytest.raises(ArtefactError, match=message) as caught:
        Scorer(path)
    assert str(path) in str(caught.value)


def test_a_graph_that_the_runtime_refuses_is_the_same_error(exported, light_format, tmp_path):
    def change(path):
        (path / MODEL_FILES[light_format]).write_bytes(b"nonsense")
        _edit(sha256=hashlib.sha256(b"nonsense").hexdigest(), seal=True)(path)

    with pytest.raises(ArtefactError, match="is refused: it"):
        Scorer(changed(exported, tmp_path, change))


def test_nothing_there_and_a_file_there(tmp_path):
    (tmp_path / "file").touch()
    for name in ("nothing", "file"):
        with pytest.raises(ArtefactError, match=rf"{name}.*no exported detector"):
            Scorer(tmp_path / name)


def test_a_saved_model_is_no_light_export(fitted, tmp_path):
    fitted.export(tmp_path / "export")
    with pytest.raises(ArtefactError, match=r"needs TensorFlow.*'onnx' or 'litert'"):
        Scorer(tmp_path / "export")


def test_a_missing_runtime_is_named(exported, light_format, monkeypatch):
    module = {"onnx": "onnxruntime", "litert": "ai_edge_litert.interpreter"}[light_format]
    monkeypatch.setitem(sys.modules, module, None)
    package = module.partition(".")[0]
    with pytest.raises(
        MissingExtraError, match=rf'{package}.*"aegmm_detect\[{light_format}\]".*pip install'
    ):
        Scorer(exported)
