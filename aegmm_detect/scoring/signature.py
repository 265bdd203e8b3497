"""What goes into a graph and comes out of it: names, types and shapes, checked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.types import Array

# Of scores and decisions.
_DTYPES = (np.dtype(np.float32), np.dtype(np.int64))
# Type of a tensor as onnxruntime names it.
_TENSORS = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(int64)": np.dtype(np.int64),
}
_Ends = Mapping[str, tuple[Any, Sequence[Any]]]


def onnx_ends(nodes: Sequence[Any]) -> _Ends:
    """Type and shape by name, of what onnxruntime lists; no type where no export has that."""
    return {node.name: (_TENSORS.get(node.type), node.shape) for node in nodes}


def litert_ends(details: dict[str, Any]) -> _Ends:
    """The same of what LiteRT lists."""
    return {
        name: (np.dtype(detail["dtype"]), detail["shape_signature"].tolist())
        for name, detail in details.items()
    }


def check_ends(inputs: _Ends, outputs: _Ends, metadata: ExportMetadata) -> None:
    """Only the number of rows is left open; `ArtefactError` says what differs."""
    rows = metadata.input
    want = {rows.name: (np.dtype(rows.dtype), rows.shape)}
    found = {name: (dtype, tuple(shape[1:])) for name, (dtype, shape) in inputs.items()}
    if found != want:
        raise ArtefactError(f"it takes {_list(found)}, and its metadata say {_list(want)}.")
    types = {name: dtype for name, (dtype, _) in outputs.items()}
    if types != dict(zip(metadata.outputs, _DTYPES, strict=True)):
        answers = ", ".join(f"{name[:80]} of {dtype}" for name, dtype in types.items())
        raise ArtefactError(f"it answers with {answers}, and not with scores and decisions.")


def _list(ends: _Ends) -> str:
    return ", ".join(
        f"{name[:80]!r} of {dtype}, rows of shape {shape}" for name, (dtype, shape) in ends.items()
    )


def check_answer(outputs: Sequence[Array], n_rows: int) -> None:
    """One score and one decision a row; `ArtefactError` says what came."""
    found = [(np.shape(part), getattr(part, "dtype", None)) for part in outputs]
    if found != [((n_rows,), dtype) for dtype in _DTYPES]:
        raise ArtefactError(
            "its answers have the shapes and types "
            + ", ".join(f"{shape} {dtype}" for shape, dtype in found)
            + f"; ({n_rows},) float32 and ({n_rows},) int64 fit."
        )
