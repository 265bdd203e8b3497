"""A LiteRT export that somebody has forged is refused before LiteRT sees it."""

import numpy as np
import pytest

from aegmm_detect.configs.export import MODEL_FILES
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.scoring import Scorer

pytest.importorskip("ai_edge_litert")
from ai_edge_litert import schema_py_generated as schema

flatbuffers = pytest.importorskip("flatbuffers", reason="the attacks are made with it")


@pytest.fixture(scope="module")
def export(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("litert") / "export"
    fitted.export(path, "litert")
    return path


@pytest.fixture
def content(export):
    return (export / MODEL_FILES["litert"]).read_bytes()


@pytest.fixture
def model(content):
    return schema.ModelT.InitFromPackedBuf(content, 0)


def packed(model):
    builder = flatbuffers.Builder(2**16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def refused(export, forged, tmp_path):
    """Asserts that an export with that graph is refused, for a reason."""

    def check(graph, reason):
        content = graph if isinstance(graph, bytes) else packed(graph)
        path = forged(export, tmp_path / "forged", content)
        with pytest.raises(ArtefactError, match=reason) as caught:
            Scorer(path)
        assert MODEL_FILES["litert"] in str(caught.value)

    return check


def test_the_graph_that_attacks_start_from_is_scored(
    export, forged, model, fitted, normal_rows, tmp_path
):
    scorer = Scorer(forged(export, tmp_path / "forged", packed(model)))
    np.testing.assert_allclose(
        scorer.score(normal_rows), fitted.score(normal_rows), rtol=1e-4, atol=1e-4
    )


def test_custom_operations_are_refused(model, refused):
    model.operatorCodes[0].customCode = "FlexReadFile"
    refused(model, "the operation FlexReadFile, which the light scorer does not run")


@pytest.mark.parametrize("name", ["WHILE", "IF", "CALL_ONCE", "VAR_HANDLE", "CUSTOM", "HASHTABLE"])
def test_other_operations_are_refused(model, refused, name):
    number = getattr(schema.BuiltinOperator, name)
    model.operatorCodes[0].builtinCode = number
    model.operatorCodes[0].deprecatedBuiltinCode = min(number, 127)
    refused(model, f"operation {number}, which the light scorer does not run")


def test_a_second_graph_is_refused(model, refused):
    model.subgraphs.append(model.subgraphs[0])
    refused(model, "2 graphs, and an export one")


def test_numbers_after_the_end_and_in_other_files_are_refused(model, refused):
    model.buffers[1].offset, model.buffers[1].size = 10**6, 10**9
    refused(model, "after its end, or in other files")


def test_tensors_that_keep_state_or_are_sparse_are_refused(model, refused):
    model.subgraphs[0].tensors[3].isVariable = True
    refused(model, "of a kind that no export has")


@pytest.mark.parametrize("kind", ["STRING", "RESOURCE", "VARIANT"])
def test_tensors_of_other_types_are_refused(model, refused, kind):
    model.subgraphs[0].tensors[3].type = getattr(schema.TensorType, kind)
    refused(model, "of a kind that no export has")


def constant(model):
    """A tensor with numbers in the file."""
    return next(
        tensor
        for tensor in model.subgraphs[0].tensors
        if model.buffers[tensor.buffer].data is not None
    )


def test_shapes_that_the_file_does_not_hold_are_refused(model, refused):
    constant(model).shape = [2**31 - 1, 4]
    refused(model, "which it does not hold")


def test_indices_of_what_is_not_there_are_refused(model, refused):
    model.subgraphs[0].operators[0].inputs = [10**6, 0]
    refused(model, "a tensor that is not there")


def test_a_graph_that_is_no_line_of_steps_is_refused(model, refused):
    steps = model.subgraphs[0].operators
    steps[0], steps[-1] = steps[-1], steps[0]
    refused(model, "before anything makes it")


def test_signatures_of_other_graphs_are_refused(model, refused):
    model.signatureDefs[0].subgraphIndex = 1
    refused(model, "of another graph")


def test_places_outside_the_file_are_refused(content, refused):
    """`tests/untrusted` has all that the reader refuses."""
    refused(content[:100], "cut short|reaches beyond|table")
