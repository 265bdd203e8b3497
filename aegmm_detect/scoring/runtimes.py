"""Engines that run an exported graph, each on the calling thread alone.

The scorer calls them from as many threads as there are cores: that keeps small graphs busier than
threads inside one operation. What engines say and answer is checked: graphs come from files.
"""

import collections
from typing import Any, Protocol

import numpy as np

from aegmm_detect.configs.export import ExportMetadata, Format
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.extras import import_extra
from aegmm_detect.scoring.signature import check_answer, check_ends, litert_ends, onnx_ends
from aegmm_detect.sizes import how_many_fit
from aegmm_detect.types import Array, FloatArray

# Scores float32 (N,), decisions int64 (N,).
Outputs = tuple[FloatArray, Array]
# Rows per call of an engine; fewer of wide rows.
_SPAN = 4096
# Of what an engine says: enough for its reason.
_MOST_CHARACTERS = 300


def rows_at_once(shape: tuple[int, ...]) -> int:
    """Rows of that shape per call of an engine."""
    return how_many_fit(shape, _SPAN, item_bytes=8)


class Runtime(Protocol):
    """Rows (N, ...) of the graph's dtype -> both outputs."""

    def __init__(self, model: bytes, metadata: ExportMetadata) -> None: ...

    @staticmethod
    def engine() -> Any:
        """The module of the engine; `MissingExtraError` if it is not installed."""

    def __call__(self, rows: FloatArray) -> Outputs:
        """Scores and decisions."""


class OnnxRuntime:
    """onnxruntime on the CPU."""

    @staticmethod
    def engine() -> Any:
        """See `Runtime`."""
        return import_extra(
            "onnxruntime",
            "onnx",
            "Running an ONNX export",
            "A machine without TensorFlow needs no more than: pip install onnxruntime.",
        )

    def __init__(self, model: bytes, metadata: ExportMetadata) -> None:
        ort = self.engine()
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # fatal ones; errors are raised
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        check_ends(onnx_ends(inputs), onnx_ends(outputs), metadata)
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

    @staticmethod
    def engine() -> Any:
        """See `Runtime`."""
        return import_extra(
            "ai_edge_litert.interpreter",
            "litert",
            "Running a LiteRT export",
            "A machine without TensorFlow needs no more than: pip install ai-edge-litert.",
        )

    def __init__(self, model: bytes, metadata: ExportMetadata) -> None:
        self._make = self.engine().Interpreter
        self._model, self._metadata = model, metadata
        # An interpreter serves one thread at a time. Append and pop of a deque are atomic.
        self._idle: collections.deque[_Interpreter] = collections.deque([self._new()])

    def __call__(self, rows: FloatArray) -> Outputs:
        """See `Runtime`."""
        try:
            interpreter = self._idle.pop()
        except IndexError:
            interpreter = self._new()
        # After an error it is not put back: it may be in any state.
        tiles = [interpreter.run(rows[i : i + self.TILE]) for i in range(0, len(rows), self.TILE)]
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
        check_ends(litert_ends(inputs), litert_ends(outputs), metadata)
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
        scores, is_outlier = (self._interpreter.get_tensor(i) for i in self._outputs)
        check_answer((scores, is_outlier), len(tile))
        return scores[: len(rows)], is_outlier[: len(rows)]


# A SavedModel needs TensorFlow.
RUNTIMES: dict[Format, type[Runtime]] = {"onnx": OnnxRuntime, "litert": LiteRtRuntime}


class CheckedRuntime:
    """An engine whose errors and answers are checked.

    Parameters
    ----------
    model
        Of the file.
    metadata
        What stands next to it.
    where
        Path of the file, for errors.

    Raises
    ------
    ArtefactError
        The engine refuses the graph, or its inputs and outputs are not those of an export.
    MissingExtraError
        The engine is not installed.
    """

    def __init__(self, model: bytes, metadata: ExportMetadata, where: str) -> None:
        runtime = RUNTIMES[metadata.format]
        self._where, self._name = where, runtime.__name__
        try:
            self._run = runtime(model, metadata)
        except ImportError:
            raise
        except ArtefactError as error:  # of our own, on the graph's inputs and outputs
            raise ArtefactError(f"{where} is refused: {error}") from error
        # Each engine has exceptions of its own, some of them private.
        except Exception as error:
            raise ArtefactError(f"{self._name} refuses {where}: {_text(error)}") from error

    def __call__(self, rows: FloatArray) -> Outputs:
        """Scores and decisions.

        Raises
        ------
        ArtefactError
            The engine fails, or answers with other shapes or types.
        """
        try:
            outputs = self._run(rows)
            check_answer(outputs, len(rows))
        except ArtefactError as error:
            raise ArtefactError(f"{self._where} is refused: {error}") from error
        except Exception as error:
            raise ArtefactError(
                f"{self._name} cannot score {len(rows)} rows with {self._where}: {_text(error)}"
            ) from error
        return outputs


def _text(error: Exception) -> str:
    return " ".join(str(error).split())[:_MOST_CHARACTERS] or type(error).__name__
