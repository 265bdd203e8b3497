"""An export is the detector's graph, or an error that leaves nothing behind."""

import copy
import dataclasses
import json
import logging
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from aegmm_detect.configs.export import METADATA_FILE, MODEL_FILES, ExportMetadata
from aegmm_detect.exceptions import (
    ArtefactError,
    ConfigurationError,
    MissingExtraError,
    NotFittedError,
    ThresholdNotInferredError,
)
from aegmm_detect.export import formats
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.scoring import Scorer


def run(path, rows):
    """Both outputs of the graph at `path`, by its own runtime."""
    metadata = ExportMetadata.from_json((path / METADATA_FILE).read_bytes(), "here")
    with np.errstate(over="ignore"):
        rows = np.asarray(rows).astype(metadata.input.dtype)
    return formats.WRITERS[metadata.format].load(path, metadata)(rows)


def test_an_export_scores_as_the_detector_tricky_rows_too(subject, format_, tmp_path, caplog):
    detector, rows = subject
    path = tmp_path / "there" / "export"
    with caplog.at_level(logging.INFO, "aegmm_detect.export"):
        metadata = detector.export(path, format_)
    assert "largest_difference" in (path / METADATA_FILE).read_text()
    assert f"{metadata.largest_difference:.2g} of max(1, |score|)" in caplog.text
    assert metadata.largest_difference < 1e-3

    want = detector.predict(rows)["data"]
    scores, is_outlier = run(path, rows)
    assert (scores.dtype, is_outlier.dtype) == (np.float32, np.int64)
    np.testing.assert_allclose(scores, want["instance_score"], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(is_outlier, ~(scores <= np.float32(detector.threshold)))

    # NaN, infinities and more than float32 can hold are outliers, wherever they stand.
    bad = rows[:80].astype(np.float64)
    bad.reshape(80, -1)[[0, 7, 63, 64, 79], [0, 1, 2, 3, 4]] = [
        np.nan,
        np.inf,
        -np.inf,
        1e39,
        -1e39,
    ]
    bad_scores, bad_outliers = run(path, bad)
    at = np.flatnonzero(np.isnan(bad_scores))
    np.testing.assert_array_equal(at, [0, 7, 63, 64, 79])
    assert bad_outliers[at].tolist() == [1] * 5
    good = np.delete(np.arange(80), at)
    np.testing.assert_allclose(bad_scores[good], scores[good], rtol=1e-5, atol=1e-5)
    assert sorted(other.name for other in path.parent.iterdir()) == ["export"]


def test_a_row_exactly_at_the_threshold_is_an_inlier(
    plain_export, fitted, format_, normal_rows, tmp_path
):
    scores, _ = run(plain_export.path, normal_rows)
    detector = copy.copy(fitted)
    detector.threshold = float(scores[5])
    detector.export(tmp_path / "export", format_, X=normal_rows)
    again, is_outlier = run(tmp_path / "export", normal_rows)
    np.testing.assert_array_equal(again, scores)
    assert is_outlier[5] == 0
    np.testing.assert_array_equal(is_outlier, scores > scores[5])


@pytest.fixture(scope="module")
def one_layer():
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])


@pytest.mark.parametrize("threshold", [np.inf, -np.inf, 1e300])
def test_an_extreme_threshold_survives(
    export_net, one_layer, light_format, normal_rows, tmp_path, threshold
):
    export_net(one_layer, tmp_path / "export", light_format, threshold=threshold)
    scorer = Scorer(tmp_path / "export")
    assert scorer.threshold == threshold
    assert scorer.predict(normal_rows)["data"]["is_outlier"].all() == (threshold < 0)
    _, is_outlier = run(tmp_path / "export", [[np.nan] * 6, [0.0] * 6])
    assert is_outlier.tolist() == [1, int(threshold < 0)]


def test_the_metadata_say_what_a_foreign_program_needs(plain_export, fitted, format_):
    path = plain_export.path
    found = json.loads((path / METADATA_FILE).read_text())
    assert (path / MODEL_FILES[format_]).is_file()
    assert found["format"] == format_
    assert found["input"] == {"name": "x", "shape": [6], "dtype": "float32", "columns": None}
    assert found["threshold"] == fitted.threshold
    assert found["nan_policy"] == "raise"
    assert found["meta"] == fitted.meta
    assert found["format_version"] == 2


def test_a_real_export_lists_its_files_with_their_sizes(plain_export):
    metadata = plain_export.metadata
    found = {
        path.relative_to(plain_export.path).as_posix(): path.stat().st_size
        for path in plain_export.path.rglob("*")
        if path.is_file()
    }
    found.pop(METADATA_FILE)
    assert metadata.files == found
    assert metadata.model_file in found


def test_an_export_leaves_logging_as_it_was(plain_export):
    assert plain_export.logging_after == ([], logging.ERROR)


@pytest.mark.parametrize("format_", ["savedmodel"], indirect=True)
def test_a_saved_model_has_a_signature_for_servers(plain_export, fitted, normal_rows):
    serve = tf.saved_model.load(str(plain_export.path)).signatures["serving_default"]
    found = serve(x=tf.constant(normal_rows[:1]))
    assert sorted(found) == ["instance_score", "is_outlier"]
    np.testing.assert_allclose(found["instance_score"], fitted.score(normal_rows[:1]), rtol=1e-4)


def test_an_export_replaces_an_export_and_nothing_else(export_net, one_layer, tmp_path):
    def export(path):
        export_net(one_layer, path, "savedmodel")

    path = tmp_path / "export"
    export(path)
    export(path)
    (path / "notes.md").touch()
    with pytest.raises(ArtefactError, match=r"export holds notes\.md besides an export"):
        export(path)
    assert (path / "notes.md").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    (tmp_path / "file").touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / METADATA_FILE).write_text("{}")
    for name in ("mine", "file", "other"):
        with pytest.raises(ArtefactError, match=name):
            export(tmp_path / name)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_graph_that_computes_something_else_is_refused_and_leaves_nothing(
    export_net, one_layer, tmp_path, monkeypatch
):
    """Whatever its converter says."""
    writer = formats.WRITERS["savedmodel"]

    def load(folder, metadata):
        run = writer.load(folder, metadata)
        return lambda rows: (run(rows)[0] + 1.0, run(rows)[1])

    export_net(one_layer, tmp_path / "export", "savedmodel")
    before = (tmp_path / "export" / METADATA_FILE).read_text()
    monkeypatch.setitem(formats.WRITERS, "savedmodel", dataclasses.replace(writer, load=load))
    for name in ("export", "new"):
        with pytest.raises(ArtefactError, match=r"exported graph.s .* Pass rows of your own"):
            export_net(one_layer, tmp_path / name, "savedmodel")
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert (tmp_path / "export" / METADATA_FILE).read_text() == before


def test_digits_that_float32_loses_are_found_and_rows_of_float32_are_not_blamed(
    light_format, make_nets, normal_rows, tmp_path
):
    """Times in seconds: LiteRT takes float32 and would see no difference between hours."""
    rows = normal_rows + np.array([1.7e9, 0, 0, 0, 0, 0])
    detector = OutlierAEGMM(threshold=0.0, normalize="standard", **make_nets())
    detector.fit(rows, epochs=0, verbose=0, seed=0)
    if light_format == "onnx":
        detector.export(tmp_path / "export", "onnx")
        np.testing.assert_allclose(
            Scorer(tmp_path / "export").score(rows), detector.score(rows), rtol=1e-3, atol=1e-3
        )
    else:
        with pytest.raises(ArtefactError, match=r"rows of float32: export to ONNX"):
            detector.export(tmp_path / "export", "litert")
        detector.export(tmp_path / "export", "litert", X=rows.astype(np.float32))


def test_what_a_runtime_lacks_is_an_error_and_leaves_nothing(export_net, tmp_path):
    """The converter is content with a triangular solve; onnxruntime has none."""
    pytest.importorskip("tf2onnx", reason="onnx needs tf2onnx")
    pytest.importorskip("onnxruntime", reason="onnx needs onnxruntime")
    x = keras.Input((6,))
    lower = keras.ops.eye(2)
    solved = keras.ops.solve_triangular(lower, keras.ops.transpose(x[:, :2]), True)
    net = keras.Model(x, keras.ops.transpose(solved))
    export_net(net, tmp_path / "works", "savedmodel")
    with pytest.raises(ArtefactError, match=r"Try another format|refuses"):
        export_net(net, tmp_path / "export", "onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["works"]


def test_nets_that_no_graph_can_hold_are_refused(make_nets, normal_rows, tmp_path):
    def in_numpy(x, x_recon):
        return np.abs(x.numpy() - x_recon.numpy())[:, :2]

    detector = OutlierAEGMM(threshold=0.0, recon_features=in_numpy, **make_nets())
    with pytest.warns(UserWarning, match="uncompiled"):
        detector.fit(normal_rows[:200], epochs=0, verbose=0, seed=0)
    with pytest.raises(ConfigurationError, match=r"uncompiled.*keras\.ops"):
        detector.export(tmp_path / "export")


def test_what_comes_first_is_said(fitted, make_nets, normal_rows, tmp_path):
    detector = OutlierAEGMM(**make_nets())
    with pytest.raises(NotFittedError, match=r"fit\(X\)"):
        detector.export(tmp_path / "export")
    detector.fit(normal_rows, epochs=0, verbose=0, seed=0)
    with pytest.raises(ThresholdNotInferredError, match="infer_threshold"):
        detector.export(tmp_path / "export")
    with pytest.raises(ConfigurationError, match="'h5': pass one of savedmodel, onnx, litert"):
        fitted.export(tmp_path / "export", "h5")
    with pytest.raises(ValueError, match="5 features per row"):
        fitted.export(tmp_path / "export", X=normal_rows[:, :5])
    with pytest.raises(ConfigurationError, match="no finite rows"):
        fitted.export(tmp_path / "export", X=np.full((3, 6), np.nan))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("extra", "module"),
    [("onnx", "tf2onnx"), ("onnx", "onnxruntime"), ("litert", "ai_edge_litert.interpreter")],
)
def test_a_missing_extra_is_named(fitted, tmp_path, monkeypatch, extra, module):
    if module == "onnxruntime":
        pytest.importorskip("tf2onnx", reason="tf2onnx is asked for before onnxruntime")
    monkeypatch.setitem(sys.modules, module, None)
    package = module.partition(".")[0]
    with pytest.raises(MissingExtraError, match=rf'{package}.*"aegmm_detect\[{extra}\]"'):
        fitted.export(tmp_path / "export", extra)


def test_an_export_to_no_directory_is_an_error(fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", "model.onnx", None):
        with pytest.raises(ConfigurationError, match=r"path.*pass (the|a) name"):
            fitted.export(path)
    assert list(tmp_path.iterdir()) == []
