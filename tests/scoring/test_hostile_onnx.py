"""An ONNX export that somebody has forged is refused before onnxruntime sees it, or in a child."""

import subprocess
import sys

import numpy as np
import pytest

from aegmm_detect.configs.export import MODEL_FILES
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.scoring import Scorer

onnx = pytest.importorskip("onnx", reason="the attacks are made with it")
pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
helper, FLOAT, INT64 = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


@pytest.fixture(scope="module")
def export(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "export"
    fitted.export(path, "onnx")
    return path


@pytest.fixture
def model(export):
    return onnx.load(export / MODEL_FILES["onnx"])


@pytest.fixture
def refused(export, forged, tmp_path):
    """Asserts that an export with that graph is refused, for a reason."""

    def check(graph, reason, **values):
        content = graph if isinstance(graph, bytes) else graph.SerializeToString()
        path = forged(export, tmp_path / "forged", content, **values)
        with pytest.raises(ArtefactError, match=reason) as caught:
            Scorer(path)
        assert MODEL_FILES["onnx"] in str(caught.value)

    return check


def graph_of(nodes, tensors=(), columns=6, outputs=None):
    """A model of these nodes from x (N, columns); 'instance_score' and 'is_outlier' are made."""
    x = helper.make_tensor_value_info("x", FLOAT, [None, columns])
    ends = outputs or [("instance_score", FLOAT, [None]), ("is_outlier", INT64, [None])]
    tensors = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in tensors]
    graph = helper.make_graph(
        nodes, "g", [x], [helper.make_tensor_value_info(*end) for end in ends], tensors
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


AXIS = ("axis", np.array([1]))


def scoring(*nodes, value="x"):
    """`nodes`, and after them scores and decisions from `value` (N, ...)."""
    return [
        *nodes,
        helper.make_node("ReduceSum", [value, "axis"], ["instance_score"], keepdims=0),
        helper.make_node("Cast", ["instance_score"], ["is_outlier"], to=INT64),
    ]


def test_the_graph_that_attacks_start_from_is_scored(export, forged, tmp_path):
    content = graph_of(scoring(), [AXIS]).SerializeToString()
    scorer = Scorer(forged(export, tmp_path / "forged", content))
    assert scorer.score(np.ones((5, 6))).tolist() == [6.0] * 5


def external(tensor, location):
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)


@pytest.mark.parametrize("where", ["initializer", "attribute", "without location"])
def test_numbers_from_other_files_are_refused(model, refused, tmp_path, monkeypatch, where):
    (tmp_path / "secret").write_bytes(b"1234")
    monkeypatch.chdir(tmp_path)
    tensor = onnx.numpy_helper.from_array(np.zeros(1, np.float32), "leak")
    external(tensor, "secret")
    if where == "without location":
        tensor.ClearField("external_data")
    if where == "attribute":
        model.graph.node.append(
            helper.make_node("ConstantOfShape", ["axis"], ["leak"], value=tensor)
        )
    else:
        model.graph.initializer.append(tensor)
    refused(model, "external data")


def test_sparse_tensors_functions_training_and_other_domains_are_refused(
    model, export, forged, tmp_path
):
    def sparse(changed):
        values = onnx.numpy_helper.from_array(np.ones(1, np.float32), "s")
        places = onnx.numpy_helper.from_array(np.zeros(1, np.int64), "i")
        changed.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [10**9]))

    def function(changed):
        changed.functions.append(
            helper.make_function("d", "f", ["a"], ["b"], [], [helper.make_opsetid("", 18)])
        )

    def domain(changed):
        changed.graph.node.add(op_type="Add", domain="com.microsoft", output=["other"])

    def operation(changed):
        changed.graph.node.append(helper.make_node("StringNormalizer", ["x"], ["other"]))

    def twice(changed):
        changed.graph.initializer.append(changed.graph.initializer[0])

    def sparse_attribute(changed):
        values = onnx.numpy_helper.from_array(np.ones(1, np.float32), "s")
        places = onnx.numpy_helper.from_array(np.zeros(1, np.int64), "i")
        tensor = helper.make_sparse_tensor(values, places, [10])
        changed.graph.node.append(
            helper.make_node("Cast", ["x"], ["other"], to=1, sparse_value=tensor)
        )

    changes = {
        "a sparse tensor": [sparse, sparse_attribute],
        "functions": [function],
        "a training graph": [lambda changed: changed.training_info.add()],
        "operation com.microsoft.Add": [domain],
        "operation StringNormalizer": [operation],
        "two tensors of one name": [twice],
    }
    for reason, attacks in changes.items():
        for attack in attacks:
            changed = onnx.ModelProto()
            changed.CopyFrom(model)
            attack(changed)
            path = forged(export, tmp_path / attack.__name__ / reason, changed.SerializeToString())
            with pytest.raises(ArtefactError, match=reason):
                Scorer(path)


def loop():
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Identity", ["v"], ["v2"])],
        "body",
        [
            helper.make_tensor_value_info("i", INT64, []),
            helper.make_tensor_value_info("c", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("c2", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("v2", FLOAT, None),
        ],
    )
    return helper.make_node("Loop", ["turns", "go", "x"], ["looped"], body=body)


def test_a_loop_of_endless_turns_is_refused(refused):
    tensors = [AXIS, ("turns", np.array(2**62)), ("go", np.array(True))]
    refused(graph_of(scoring(loop(), value="looped"), tensors), "a loop or a branch")


def test_what_two_readers_could_understand_differently_is_refused(model, refused):
    """`tests/untrusted` has all that the reader refuses."""
    content = model.SerializeToString()
    refused(content + content, "twice")


def test_sizes_that_the_file_does_not_hold_are_refused(model, refused):
    model.graph.initializer[0].dims.append(2**31 - 1)
    refused(model, "does not hold")


def test_negative_and_endless_shapes_are_refused(model, refused):
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([2**62, 0])
    refused(model, "an invalid shape")


def test_constants_of_gigabytes_are_refused(refused):
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["sum"]),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    tensors = [AXIS, ("size", np.array([2_000_000_000]))]
    refused(graph_of(scoring(*nodes, value="y"), tensors), "asks for more than 67,108,864 numbers")


def test_sizes_that_follow_from_rows_are_refused(refused):
    nodes = [
        helper.make_node("Cast", ["x"], ["whole"], to=INT64),
        helper.make_node("ReduceMax", ["whole"], ["size"], keepdims=0),
        helper.make_node("Expand", ["x", "size"], ["y"]),
    ]
    refused(graph_of(scoring(*nodes, value="y"), [AXIS]), "depends on numbers in the rows")


def test_sizes_that_follow_from_comparisons_of_the_number_of_rows_are_refused(refused):
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Equal", ["shape", "axis"], ["is_37"]),
        helper.make_node("Cast", ["is_37"], ["y"], to=FLOAT),
    ]
    refused(graph_of(scoring(*nodes), [AXIS]), "Equal computes with the number of rows")


@pytest.mark.parametrize("by", [0, -1])
@pytest.mark.parametrize("op", ["Div", "Mod"])
def test_division_of_whole_numbers_that_can_end_the_process_is_refused(refused, op, by):
    nodes = [
        helper.make_node("Cast", ["x"], ["whole"], to=INT64),
        helper.make_node(op, ["whole", "by"], ["quotient"]),
        helper.make_node("Cast", ["quotient"], ["y"], to=FLOAT),
    ]
    refused(graph_of(scoring(*nodes, value="y"), [AXIS, ("by", np.array([by]))]), "not be positive")


def test_what_crashes_or_fills_the_memory_of_a_child_is_refused(export, forged, tmp_path):
    """By graphs of known operations, with known sizes."""
    pool = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["image"]),
        helper.make_node("Conv", ["image", "kernel"], ["conv"], group=0, kernel_shape=[1]),
        helper.make_node("Squeeze", ["conv", "axis"], ["y"]),
    ]
    outer = [
        helper.make_node("MatMul", ["tall", "wide"], ["square"]),
        helper.make_node("ReduceSum", ["square"], ["sum"]),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    long = np.ones(40_000, np.float32)
    attacks = {
        "crash": graph_of(
            scoring(*pool, value="y"), [AXIS, ("kernel", np.ones((1, 1, 1), np.float32))]
        ),
        "memory": graph_of(
            scoring(*outer, value="y"), [AXIS, ("tall", long[:, None]), ("wide", long[None])]
        ),
    }
    for name, attack in attacks.items():
        path = forged(export, tmp_path / name, attack.SerializeToString())
        with pytest.raises(ArtefactError, match=r"in a trial of a few rows.*trusted=True"):
            Scorer(path)


def test_answers_that_are_no_scores_are_refused(export, forged, tmp_path):
    cast = helper.make_node("Cast", ["instance_score"], ["is_outlier"], to=INT64)
    attacks = {
        "columns": graph_of(
            [helper.make_node("Identity", ["x"], ["instance_score"]), cast],
            outputs=[("instance_score", FLOAT, [None, 6]), ("is_outlier", INT64, [None, 6])],
        ),
        "three": graph_of(
            [helper.make_node("Identity", ["three"], ["instance_score"]), cast],
            [("three", np.zeros(3, np.float32))],
        ),
        "whole": graph_of(
            [
                helper.make_node("ReduceSum", ["x", "axis"], ["sum"], keepdims=0),
                helper.make_node("Cast", ["sum"], ["instance_score"], to=INT64),
                helper.make_node("Identity", ["instance_score"], ["is_outlier"]),
            ],
            [AXIS],
            outputs=[("instance_score", INT64, [None]), ("is_outlier", INT64, [None])],
        ),
    }
    for name, attack in attacks.items():
        path = forged(export, tmp_path / name, attack.SerializeToString())
        for trusted in (False, True):
            with pytest.raises(ArtefactError, match=r"answer"):
                Scorer(path, trusted=trusted).score(np.zeros((2, 6)))


def test_a_graph_of_other_columns_or_types_is_refused(refused):
    refused(graph_of(scoring(), [AXIS], columns=5), r"rows of shape \(5,\).*metadata say.*\(6,\)")


def test_a_graph_that_scores_finite_rows_as_nan_is_blamed_and_not_the_rows(
    export, forged, tmp_path
):
    nodes = [helper.make_node("Log", ["x"], ["y"])]
    content = graph_of(scoring(*nodes, value="y"), [AXIS]).SerializeToString()
    scorer = Scorer(forged(export, tmp_path / "forged", content))
    assert np.isfinite(scorer.score(np.ones((2, 6)))).all()
    with pytest.raises(ArtefactError, match="NaN for rows that are finite"):
        scorer.score(-np.ones((2, 6)))


def test_runtimes_errors_are_ours(export, forged, tmp_path):
    """Trusted, so that nothing was tried."""
    nodes = [helper.make_node("MatMul", ["x", "wrong"], ["y"])]
    tensors = [AXIS, ("wrong", np.zeros((5, 5), np.float32))]
    content = graph_of(scoring(*nodes, value="y"), tensors).SerializeToString()
    with pytest.raises(ArtefactError, match=r"OnnxRuntime (refuses|cannot score)"):
        Scorer(forged(export, tmp_path / "forged", content), trusted=True).score(np.zeros((2, 6)))


MEASURED = """
import sys, time
import onnxruntime
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.scoring import Scorer
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
base, start = peak(), time.process_time()
try:
    Scorer(sys.argv[1])
except ArtefactError:
    print(peak() - base, time.process_time() - start)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures with /proc")
def test_a_refusal_takes_little_time_and_memory(export, model, forged, tmp_path):
    """Of a file as full of the smallest fields as it may be."""
    full = model.SerializeToString() + b"\x72\x00" * 520_000
    path = forged(export, tmp_path / "forged", full)
    command = [sys.executable, "-c", MEASURED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    megabytes, seconds = map(float, done.stdout.split())
    assert megabytes < 200
    assert seconds < 2
