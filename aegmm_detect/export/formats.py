"""Write a graph in one format, and run what was written."""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from aegmm_detect.configs.export import MODEL_FILES, ExportMetadata, Format
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.export.graph import PORTABLE, with_decision
from aegmm_detect.extras import import_extra
from aegmm_detect.listing import one_line
from aegmm_detect.nets.graph import TENSORFLOW, Operations, ScoringGraph
from aegmm_detect.scoring.runtimes import CheckedRuntime, Outputs
from aegmm_detect.scoring.scorer import read_export
from aegmm_detect.types import FloatArray
from aegmm_detect.untrusted.graph import check_graph

INPUT = "x"
# Of ONNX; onnxruntime reads it since 1.14.
_OPSET = 18
# Of what a converter says: the rest is a trace through its own files.
_MOST_CHARACTERS = 400

Run = Callable[[FloatArray], Outputs]


@dataclasses.dataclass(frozen=True)
class Writer:
    """One format.

    Parameters
    ----------
    graph
        Which operations it may use.
    float32
        Whether rows are float32 even where the detector scales them in float64.
    needs
        Imports what writing and running need, so that a missing extra is reported first.
    write
        Program, folder -> None.
    load
        Folder, metadata -> what runs it.
    """

    operations: Operations
    float32: bool
    needs: Callable[[], object]
    write: Callable[["Program", Path], None]
    load: Callable[[Path, ExportMetadata], Run]


class Program(NamedTuple):
    """What is written: a function, and the graph that owns its variables."""

    function: Any
    graph: ScoringGraph


def program(graph: ScoringGraph, threshold: float, shape: tuple[int, ...], dtype: str) -> Program:
    """Graph and decision as a function of any number of rows.

    Raises
    ------
    ArtefactError
        The nets cannot be traced, or compute in half precision, which only SavedModels hold.
    """
    spec = tf.TensorSpec((None, *shape), dtype, name=INPUT)
    function = tf.function(with_decision(graph, threshold), autograph=False, input_signature=[spec])
    with _as_artefact_error("The nets make no graph"):
        traced = function.get_concrete_function().graph
    if graph.function.operations is PORTABLE:
        _refuse_half(traced)
    return Program(function, graph)


@contextlib.contextmanager
def _as_artefact_error(what: str) -> Iterator[None]:
    """Converters raise anything."""
    try:
        yield
    except Exception as error:
        text = one_line(error, _MOST_CHARACTERS)
        raise ArtefactError(
            f"{what} ({type(error).__name__}: {text}). Try another format."
        ) from error


def _refuse_half(graph: Any) -> None:
    """Before converters fail on it, each in its own way."""
    made = {tensor.dtype for operation in graph.get_operations() for tensor in operation.outputs}
    if half := made & {tf.float16, tf.bfloat16}:
        raise ArtefactError(
            f"The nets compute in {half.pop().name}, which exports to ONNX and LiteRT cannot hold: "
            "make the nets with the policy 'float32' (keras.config.set_dtype_policy), or export "
            "with format='savedmodel'."
        )


def _write_savedmodel(program: Program, folder: Path) -> None:
    module = tf.Module()
    module.serve = program.function
    if program.function.get_concrete_function().graph.captures:
        # The graph owns what is no constant of the function, such as state of a user's layer.
        module.graph = program.graph
    tf.saved_model.save(module, str(folder), signatures={"serving_default": program.function})


def _load_savedmodel(folder: Path, metadata: ExportMetadata) -> Run:
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]

    def run(rows: FloatArray) -> Outputs:
        found = signature(**{metadata.input.name: tf.constant(rows)})
        scores, is_outlier = (found[name].numpy() for name in metadata.outputs)
        return scores, is_outlier

    run.keep = loaded  # type: ignore[attr-defined]  # its variables live as long as it does
    return run


def _need_onnx() -> object:
    for module in ("tf2onnx", "onnx", "onnxruntime"):
        import_extra(module, "onnx", "Exporting to ONNX")
    return import_extra("tf2onnx.convert", "onnx", "Exporting to ONNX")


def _with_constants(function: Any) -> Any:
    """`function` with the tensors in it that it has from outside as constants.

    Layers such as an adapted Normalization hold numbers that are not weights, and tf2onnx makes
    inputs of them.
    """
    concrete = function.get_concrete_function()
    graph = concrete.graph
    variables = (tf.resource, tf.variant)
    if all(outer.dtype in variables for outer, _ in graph.captures):
        return function
    names = sorted(concrete.structured_outputs)  # as TensorFlow sorts a dictionary's values

    def whole(x: Any) -> Any:
        values = {
            inner.name: outer if outer.dtype in variables else tf.constant(outer.numpy())
            for outer, inner in graph.captures
        }
        values[graph.inputs[0].name] = x
        outputs = [tensor.name for tensor in concrete.outputs]
        found = tf.graph_util.import_graph_def(graph.as_graph_def(), values, outputs, name="graph")
        return dict(zip(names, found, strict=True))

    return tf.function(whole, autograph=False, input_signature=function.input_signature)


def _write_onnx(program: Program, folder: Path) -> None:
    convert: Any = _need_onnx()
    # It logs a traceback for each product of more than two axes that it cannot simplify, and goes
    # on; whether the graph is good, the comparison shows.
    chatter = logging.getLogger("tf2onnx")
    level = chatter.level
    chatter.setLevel(logging.CRITICAL)
    try:
        with _as_artefact_error("tf2onnx cannot convert the graph"):
            convert.from_function(
                _with_constants(program.function),
                input_signature=program.function.input_signature,
                opset=_OPSET,
                output_path=str(folder / MODEL_FILES["onnx"]),
            )
    finally:
        chatter.setLevel(level)


def _need_litert() -> object:
    return import_extra("ai_edge_litert.interpreter", "litert", "Exporting to LiteRT")


def _write_litert(program: Program, folder: Path) -> None:
    # From the saved model: other ways lose the names of inputs and outputs.
    whole = folder / "savedmodel"
    _write_savedmodel(program, whole)
    with _as_artefact_error("TensorFlow's LiteRT converter cannot convert the graph"):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(whole))
        content = converter.convert()
    tf.io.gfile.rmtree(str(whole))
    (folder / MODEL_FILES["litert"]).write_bytes(content)


def _load_light(folder: Path, metadata: ExportMetadata) -> Run:
    _, model = read_export(folder)
    try:
        check_graph(model, metadata.format, metadata.model_file)
    except ArtefactError as error:
        raise ArtefactError(
            f"The light scorer cannot run the graph that was made: {error} Names in quotes hold "
            "those of nets and layers: replace these. Try another format if you need them."
        ) from error
    return CheckedRuntime(model, metadata, metadata.model_file)


WRITERS: dict[Format, Writer] = {
    "savedmodel": Writer(TENSORFLOW, False, lambda: None, _write_savedmodel, _load_savedmodel),
    "onnx": Writer(PORTABLE, False, _need_onnx, _write_onnx, _load_light),
    "litert": Writer(PORTABLE, True, _need_litert, _write_litert, _load_light),
}
