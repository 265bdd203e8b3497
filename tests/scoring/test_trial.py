"""A graph that this process does not know is tried in a child; nothing else is."""

import hashlib
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from aegmm_detect.configs.export import MODEL_FILES
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.scoring import Scorer, trial
from aegmm_detect.scoring.trial import identity
from aegmm_detect.untrusted import child


@pytest.fixture
def children(monkeypatch):
    """Commands of the child processes that were started, with an empty memory of what passed."""
    started = []
    real = subprocess.run

    def run(command, **how):
        started.append(command)
        return real(command, **how)

    monkeypatch.setattr(child.subprocess, "run", run)
    monkeypatch.setattr(trial, "_PASSED", set())
    return started


def test_what_this_process_has_exported_needs_no_trial(fitted, light_format, children, tmp_path):
    fitted.export(tmp_path / "export", light_format)
    Scorer(tmp_path / "export")
    assert children == []


def test_a_graph_is_tried_once(exported, forged, children, tmp_path):
    for _ in range(3):
        Scorer(exported)
    assert len(children) == 1
    Scorer(forged(exported, tmp_path / "forged", threshold=7.0))  # the same graph and rows
    assert len(children) == 1
    Scorer(
        forged(exported, tmp_path / "other", input={**_rows(exported), "columns": list("abcdef")})
    )
    assert len(children) == 2


def _rows(exported):
    return json.loads((exported / "metadata.json").read_text())["input"]


def test_trust_leaves_the_trial_out_and_nothing_else(exported, forged, children, tmp_path):
    Scorer(exported, trusted=True)
    assert children == []
    path = forged(exported, tmp_path / "forged", b"nonsense")
    with pytest.raises(ArtefactError, match="is refused: it"):
        Scorer(path, trusted=True)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_pickle_says_that_its_graph_has_passed(exported, children, monkeypatch, trusted):
    pickled = pickle.dumps(Scorer(exported, trusted=trusted))
    n = len(children)
    monkeypatch.setattr(trial, "_PASSED", set())  # as in another process
    pickle.loads(pickled)
    assert len(children) == n


def test_the_identity_is_of_graph_and_rows(exported):
    metadata = Scorer(exported).metadata
    other = metadata.replace(sha256=hashlib.sha256(b"other").hexdigest())
    assert identity(other) != identity(metadata)
    assert identity(metadata.replace(threshold=3.0)) == identity(metadata)


def test_without_a_python_to_start_only_trust_opens_it(exported, children, monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ArtefactError, match=r"no Python.*pass trusted=True"):
        Scorer(exported)
    assert Scorer(exported, trusted=True).score(np.zeros((2, 6))).shape == (2,)


def test_a_runtime_that_ends_the_child_has_not_passed(exported, children, monkeypatch):
    monkeypatch.setattr(trial, "run_child", lambda *_: child.Ended(b"", None))
    with pytest.raises(ArtefactError, match="the runtime ended the process"):
        Scorer(exported)


def test_a_trial_without_an_end_is_ended(exported, children, monkeypatch):
    monkeypatch.setattr(child, "SECONDS", 0.01)
    with pytest.raises(ArtefactError, match=r"did not finish in 0 seconds.*trusted"):
        Scorer(exported)


def test_files_in_the_current_folder_are_no_modules_of_the_child(
    exported, children, monkeypatch, tmp_path
):
    for name in ("json", "numpy", "onnxruntime", "aegmm_detect", "resource"):
        (tmp_path / f"{name}.py").write_text("open('was_run', 'w').close()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    Scorer(exported)
    assert len(children) == 1
    assert not (tmp_path / "was_run").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="limits are of Linux")
def test_hours_of_work_are_ended_after_seconds(fitted, forged, children, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    fitted.export(tmp_path / "export", "onnx")
    model = onnx.load(tmp_path / "export" / MODEL_FILES["onnx"])
    square = np.zeros((1500, 1500), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(square, "square"))
    # Row for row, so that it cannot be computed while the graph is loaded.
    nodes = [onnx.helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0)]
    nodes.append(onnx.helper.make_node("Add", ["sum", "square"], ["power0"]))
    for i in range(400):
        inputs = [f"power{i}", f"power{i}"]
        nodes.append(onnx.helper.make_node("MatMul", inputs, [f"power{i + 1}"]))
    nodes.append(onnx.helper.make_node("ReduceSum", ["power400"], ["all"], keepdims=0))
    nodes.append(onnx.helper.make_node("Add", ["instance_score", "all"], ["later"]))
    model.graph.node.extend(nodes)
    model.graph.output.append(
        onnx.helper.make_tensor_value_info("later", onnx.TensorProto.FLOAT, [None])
    )
    # It must be an output, or the runtime leaves it out: so it takes the place of the scores.
    for node in model.graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = {"instance_score": "before", "later": "instance_score"}.get(name, name)
    del model.graph.output[-1]
    path = forged(tmp_path / "export", tmp_path / "forged", model.SerializeToString())
    with pytest.raises(ArtefactError, match=r"in a trial of a few rows, it took too much time"):
        Scorer(path)
