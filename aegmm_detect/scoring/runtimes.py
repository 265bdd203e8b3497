"""Engines that run an exported graph, each on the calling thread alone.

The scorer calls them from as many threads as there are cores: that keeps small graphs busier than
threads inside one operation.
"""

import collections
from typing import Any, Protocol

import numpy as np

from aegmm_detect.configs.export import ExportMetadata, Format
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.extras import import_extra
from aegmm_detect.types import Array, FloatArray

# Scores float32 (N,), decisions int64 (N,).
Outputs = tuple[FloatArray, Array]


class Runtime(Protocol):
    """Rows (N, ...) of the graph's dtype -> both outputs."""

    def __init__(self, model: bytes, metadata: ExportMetadata) -> None: ...

    def __call__(self, rows: FloatArray) -> Outputs:
        """Scores and decisions."""


class OnnxRuntime:
    """onnxruntime on the CPU."""

    def __init__(self, model: bytes, metadata: ExportMetadata) -> None:
        ort = import_extra(
            "onnxruntime",
            "onnx",
            "Running an ONNX export",
            "A host without TensorFlow needs no more than: pip install onnxruntime.",
        )
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; they are raised, too
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._input, self._outputs = metadata.input.name, list(metadata.outputs)

    def __call__(self, rows: FloatArray) -> Outputs:
        """See `Runtime`."""
        scores, is_outlier = self._session.run(self._outputs, {self._input: rows})
        return scores, is_outlier


class LiteRtRuntime:
    """LiteRT on the CPU.

    An interpreter has memory for one number of rows, and making it ready for another takes longer
    than scoring: rows go through in tiles of one length, filled up at the end.
    """

    TILE = 64

    def __init__(self, model: bytes, metadata: ExportMetadata) -> None:
        litert = import_extra(
            "ai_edge_litert.interpreter",
            "litert",
            "Running a LiteRT export",
            "A host without TensorFlow needs no more than: pip install ai-edge-litert.",
        )
        self._make = litert.Interpreter
        self._model, self._metadata = model, metadata
        # An interpreter serves one thread at a time. Append and pop of a deque are atomic.
        self._idle: collections.deque[_Interpreter] = collections.deque([self._new()])

    def __call__(self, rows: FloatArray) -> Outputs:
        """See `Runtime`."""
        try:
            interpreter = self._idle.pop()
        except IndexError:
            interpreter = self._new()
        try:
            tiles = [
                interpreter.run(rows[i : i + self.TILE]) for i in range(0, len(rows), self.TILE)
            ]
        finally:
            self._idle.append(interpreter)
        scores, is_outlier = (np.concatenate(parts) for parts in zip(*tiles, strict=True))
        return scores, is_outlier

    def _new(self) -> "_Interpreter":
        interpreter = self._make(model_content=self._model, num_threads=1)
        return _Interpreter(interpreter, self.TILE, self._metadata)


class _Interpreter:
    """One interpreter with memory for a tile."""

    def __init__(self, interpreter: Any, tile: int, metadata: ExportMetadata) -> None:
        signature = interpreter.get_signature_runner()
        inputs, outputs = signature.get_input_details(), signature.get_output_details()
        # It holds the interpreter, which then refuses to run.
        del signature
        self._input = inputs[metadata.input.name]["index"]
        self._outputs = [outputs[name]["index"] for name in metadata.outputs]
        interpreter.resize_tensor_input(self._input, (tile, *metadata.input.shape))
        interpreter.allocate_tensors()
        self._interpreter = interpreter
        self._filled = np.zeros((tile, *metadata.input.shape), dtype=metadata.input.dtype)

    def run(self, rows: FloatArray) -> Outputs:
        """Outputs of at most a tile of rows."""
        if len(rows) < len(self._filled):
            self._filled[: len(rows)] = rows
            self._filled[len(rows) :] = 0
            tile = self._filled
        else:
            tile = rows
        self._interpreter.set_tensor(self._input, tile)
        self._interpreter.invoke()
        scores, is_outlier = (self._interpreter.get_tensor(i)[: len(rows)] for i in self._outputs)
        return scores, is_outlier


# A SavedModel needs TensorFlow.
RUNTIMES: dict[Format, type[Runtime]] = {"onnx": OnnxRuntime, "litert": LiteRtRuntime}


def make_runtime(model: bytes, metadata: ExportMetadata) -> Runtime:
    """The engine for a graph.

    Raises
    ------
    ArtefactError
        The engine refuses the graph.
    MissingExtraError
        The engine is not installed.
    """
    runtime = RUNTIMES[metadata.format]
    try:
        return runtime(model, metadata)
    except ImportError:
        raise
    # Each engine has exceptions of its own, some of them private.
    except Exception as error:
        raise ArtefactError(f"{runtime.__name__} refuses {metadata.model_file}: {error}") from error
