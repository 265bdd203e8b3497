"""Is a LiteRT file a graph such as `detector.export` writes? Decided before a runtime sees it."""

import math
from typing import Any

import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.types import Array
from aegmm_detect.untrusted.flatbuffer import Buffer, Table
from aegmm_detect.untrusted.flow import Step, check_flow
from aegmm_detect.untrusted.litert_operations import OPERATIONS, RULES

_MARK, _VERSION = b"TFL3", 3
# Types of numbers, by the format's numbers for them.
_TYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    2: np.dtype("<i4"),
    4: np.dtype("<i8"),
    6: np.dtype("?"),
    10: np.dtype("<f8"),
}
# Places of fields in tables, as the format numbers them.
_CODES, _SUBGRAPHS, _BUFFERS, _SIGNATURES, _EXTERNAL = 1, 2, 4, 7, (8, 9)
_DATA, _ELSEWHERE = 0, (1, 2)
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3
_SHAPE, _TYPE, _BUFFER, _NAME = 0, 1, 2, 3
# A tensor that keeps state, is stored sparsely, has variants, or lies elsewhere.
_ODD_TENSOR = (5, 6, 9, 10)
_INDEX, _OPTIONS = 0, 4
# Options of custom operations, inputs that change, options after the end of the file, or of a
# second kind.
_ODD_OPERATOR = (5, 7, 9, 10, 11, 12)


def check_litert(content: bytes) -> None:
    """Refuse what no export holds.

    Parameters
    ----------
    content
        Of the file.

    Raises
    ------
    ArtefactError
        Says what is wrong.
    """
    model = Buffer(content, _MARK).root()
    if model.scalar(0, "I") != _VERSION or model.has(*_EXTERNAL):
        raise ArtefactError("it is of another version of the format, or has parts in other files")
    names = [_operation(code) for code in model.tables(_CODES)]
    data = [_data(buffer) for buffer in model.tables(_BUFFERS)]
    graphs = model.tables(_SUBGRAPHS)
    if len(graphs) != 1:
        raise ArtefactError(f"it holds {len(graphs)} graphs, and an export one")
    (graph,) = graphs
    tensors = graph.tables(_TENSORS)
    kinds = [_kind(tensor) for tensor in tensors]
    constants: dict[str, Array] = {}
    for i, tensor in enumerate(tensors):
        at = tensor.scalar(_BUFFER, "I")
        if at >= len(data):
            raise ArtefactError("it has a tensor in a buffer that is not there")
        if at and len(data[at]):
            constants[str(i)] = _numbers(tensor, kinds[i], data[at])
    _check_signatures(model, graph, len(tensors))
    steps = [_step(operator, names, kinds) for operator in graph.tables(_OPERATORS)]
    check_flow(steps, _indices(graph, _INPUTS, len(tensors)), constants, RULES)


def _operation(code: Table) -> str:
    number = max(code.scalar(0, "b"), code.scalar(3, "i"))
    if code.has(1) or number not in OPERATIONS:
        what = f"the operation {code.text(1)[:80]}" if code.has(1) else f"operation {number}"
        raise ArtefactError(f"it holds {what}, which the light scorer does not run")
    return OPERATIONS[number]


def _data(buffer: Table) -> Array:
    if buffer.has(*_ELSEWHERE):
        raise ArtefactError("it has numbers after its end, or in other files")
    return buffer.vector(_DATA, "u1")


def _kind(tensor: Table) -> np.dtype[Any]:
    kind = _TYPES.get(tensor.scalar(_TYPE, "b"))
    if kind is None or tensor.has(*_ODD_TENSOR):
        raise ArtefactError(
            f"its tensor {tensor.text(_NAME)[:80]!r} is of a kind that no export has"
        )
    shape = tensor.vector(_SHAPE, "<i4").tolist()
    if len(shape) > 16 or min(shape, default=0) < 0:
        raise ArtefactError(f"its tensor {tensor.text(_NAME)[:80]!r} has an invalid shape")
    return kind


def _numbers(tensor: Table, kind: np.dtype[Any], data: Array) -> Array:
    shape = tensor.vector(_SHAPE, "<i4").tolist()
    if math.prod(shape) * kind.itemsize != len(data):
        raise ArtefactError(
            f"its tensor {tensor.text(_NAME)[:80]!r} says {shape}, which it does not hold"
        )
    # A truth value of another number is one thing to one operation and another to the next.
    if kind == np.bool_ and len(data) and data.max() > 1:
        raise ArtefactError("it has truth values that are neither true nor false")
    return data.view(kind)


def _check_signatures(model: Table, graph: Table, n_tensors: int) -> None:
    signatures = model.tables(_SIGNATURES)
    if len(signatures) != 1 or signatures[0].scalar(4, "I"):
        raise ArtefactError("it has no signature, or several, or one of another graph")
    for field, ends in ((0, _INPUTS), (1, _OUTPUTS)):
        found = [entry.scalar(1, "I") for entry in signatures[0].tables(field)]
        if sorted(map(str, found)) != sorted(_indices(graph, ends, n_tensors)):
            raise ArtefactError("its signature names other tensors than its graph")


def _indices(table: Table, field: int, n_tensors: int) -> tuple[str, ...]:
    """Numbers of tensors, as names; '' for none."""
    found = table.vector(field, "<i4").tolist()
    if not all(-1 <= i < n_tensors for i in found):
        raise ArtefactError("it refers to a tensor that is not there")
    return tuple("" if i < 0 else str(i) for i in found)


def _step(operator: Table, names: list[str], kinds: list[np.dtype[Any]]) -> Step:
    index = operator.scalar(_INDEX, "I")
    if index >= len(names):
        raise ArtefactError("it refers to an operation that is not there")
    if operator.has(*_ODD_OPERATOR):
        raise ArtefactError(f"its {names[index]} has settings that no export has")
    if at := operator.place(_OPTIONS, 4):
        operator.buffer.table(at + operator.buffer.number(at, "I"))
    inputs, outputs = (_indices(operator, field, len(kinds)) for field in (1, 2))
    dtype = kinds[int(outputs[0])] if outputs and outputs[0] else None
    return Step(names[index], inputs, outputs, dtype)
