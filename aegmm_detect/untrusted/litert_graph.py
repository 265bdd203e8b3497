"""Is a LiteRT file a graph such as `detector.export` writes? Decided before a runtime sees it."""

import math
from typing import Any

import numpy as np

from aegmm_detect.types import Array
from aegmm_detect.untrusted.flatbuffer import Buffer, Table
from aegmm_detect.untrusted.flow import Rules, Step, check_flow, words
from aegmm_detect.untrusted.protobuf import UnfitError

# Found as `onnx_graph.OPERATIONS` were; with their numbers in the format.
# There is none among them that opens a file, keeps state, or runs another graph.
OPERATIONS = {
    101: "ABS",
    0: "ADD",
    56: "ARG_MAX",
    79: "ARG_MIN",
    1: "AVERAGE_POOL_2D",
    126: "BATCH_MATMUL",
    37: "BATCH_TO_SPACE_ND",
    130: "BROADCAST_TO",
    53: "CAST",
    104: "CEIL",
    2: "CONCATENATION",
    3: "CONV_2D",
    132: "CONV_3D",
    141: "CONV_3D_TRANSPOSE",
    108: "COS",
    128: "CUMSUM",
    4: "DEPTHWISE_CONV_2D",
    42: "DIV",
    111: "ELU",
    71: "EQUAL",
    47: "EXP",
    70: "EXPAND_DIMS",
    94: "FILL",
    8: "FLOOR",
    9: "FULLY_CONNECTED",
    36: "GATHER",
    150: "GELU",
    61: "GREATER",
    62: "GREATER_EQUAL",
    117: "HARD_SWISH",
    98: "LEAKY_RELU",
    58: "LESS",
    63: "LESS_EQUAL",
    73: "LOG",
    86: "LOGICAL_AND",
    87: "LOGICAL_NOT",
    84: "LOGICAL_OR",
    14: "LOGISTIC",
    50: "LOG_SOFTMAX",
    55: "MAXIMUM",
    17: "MAX_POOL_2D",
    40: "MEAN",
    57: "MINIMUM",
    18: "MUL",
    59: "NEG",
    72: "NOT_EQUAL",
    85: "ONE_HOT",
    83: "PACK",
    34: "PAD",
    60: "PADV2",
    78: "POW",
    54: "PRELU",
    96: "RANGE",
    91: "REDUCE_ANY",
    140: "REDUCE_ALL",
    82: "REDUCE_MAX",
    89: "REDUCE_MIN",
    81: "REDUCE_PROD",
    19: "RELU",
    21: "RELU6",
    20: "RELU_N1_TO_1",
    22: "RESHAPE",
    23: "RESIZE_BILINEAR",
    97: "RESIZE_NEAREST_NEIGHBOR",
    105: "REVERSE_V2",
    116: "ROUND",
    76: "RSQRT",
    64: "SELECT",
    123: "SELECT_V2",
    77: "SHAPE",
    158: "SIGN",
    66: "SIN",
    65: "SLICE",
    25: "SOFTMAX",
    38: "SPACE_TO_BATCH_ND",
    49: "SPLIT",
    102: "SPLIT_V",
    75: "SQRT",
    92: "SQUARE",
    99: "SQUARED_DIFFERENCE",
    43: "SQUEEZE",
    45: "STRIDED_SLICE",
    41: "SUB",
    74: "SUM",
    28: "TANH",
    69: "TILE",
    48: "TOPK_V2",
    39: "TRANSPOSE",
    67: "TRANSPOSE_CONV",
    88: "UNPACK",
    93: "ZEROS_LIKE",
}
_MARK, _VERSION = b"TFL3", 3
# Types of numbers, by the format's numbers for them.
_TYPES: dict[int, np.dtype[Any]] = {
    0: np.dtype("<f4"),
    2: np.dtype("<i4"),
    4: np.dtype("<i8"),
    6: np.dtype("?"),
    10: np.dtype("<f8"),
}
_AXES = {
    name: (1,)
    for name in words(
        """
        ARG_MAX ARG_MIN CUMSUM EXPAND_DIMS MEAN PAD REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN
        REDUCE_PROD REVERSE_V2 SUM TOPK_V2 TRANSPOSE
        """
    )
}
_MAKING = {
    "BROADCAST_TO": (1,),
    "CONV_3D_TRANSPOSE": (0,),
    "FILL": (0,),
    "RANGE": (0, 1, 2),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "TILE": (1,),
    "TRANSPOSE_CONV": (0,),
}
_RULES = Rules(
    sizes={
        **_AXES,
        **_MAKING,
        "BATCH_TO_SPACE_ND": (1, 2),
        "ONE_HOT": (1,),
        "PADV2": (1,),
        "RESHAPE": (1,),
        "SLICE": (1, 2),
        "SPACE_TO_BATCH_ND": (1, 2),
        "SPLIT": (0,),
        "SPLIT_V": (1, 2),
        "STRIDED_SLICE": (1, 2, 3),
    },
    making=_MAKING,
    shapes=frozenset({"SHAPE"}),
    like={},
    integers=frozenset(),
    second_integers=frozenset({"TOPK_V2"}),
    dividing=frozenset({"DIV"}),
    on_shapes=words(
        """
        CAST CONCATENATION EXPAND_DIMS GATHER MUL PACK REDUCE_PROD RESHAPE SHAPE SLICE SQUEEZE
        STRIDED_SLICE UNPACK
        """
    ),
)
# Places of fields in tables, as the format numbers them.
_CODES, _SUBGRAPHS, _BUFFERS, _SIGNATURES, _EXTERNAL = 1, 2, 4, 7, (8, 9)
_DATA, _ELSEWHERE = 0, (1, 2)
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3
_SHAPE, _TYPE, _BUFFER, _NAME, _SIGNATURE = 0, 1, 2, 3, 7
# A tensor that keeps state, is stored sparsely, has variants, or lies elsewhere.
_ODD_TENSOR = (5, 6, 9, 10)
_INDEX, _OPTIONS = 0, 4
# Options of custom operations, inputs that change, options behind the file or of a second kind.
_ODD_OPERATOR = (5, 7, 9, 10, 11, 12)


def check_litert(content: bytes) -> None:
    """Refuse what no export holds.

    Parameters
    ----------
    content
        Of the file.

    Raises
    ------
    UnfitError
        Says what is wrong.
    """
    model = Buffer(content, _MARK).root()
    if model.scalar(0, "I") != _VERSION or model.has(*_EXTERNAL):
        raise UnfitError("it is of another version of the format, or has parts in other files")
    names = [_operation(code) for code in model.tables(_CODES)]
    data = [_data(buffer) for buffer in model.tables(_BUFFERS)]
    graphs = model.tables(_SUBGRAPHS)
    if len(graphs) != 1:
        raise UnfitError(f"it holds {len(graphs)} graphs, and an export one")
    (graph,) = graphs
    tensors = graph.tables(_TENSORS)
    kinds = [_kind(tensor) for tensor in tensors]
    constants: dict[str, Array] = {}
    for i, tensor in enumerate(tensors):
        at = tensor.scalar(_BUFFER, "I")
        if at >= len(data):
            raise UnfitError("it has a tensor in a buffer that is not there")
        if at and len(data[at]):
            constants[str(i)] = _numbers(tensor, kinds[i], data[at])
    _check_signatures(model, graph, len(tensors))
    steps = [_step(operator, names, kinds) for operator in graph.tables(_OPERATORS)]
    check_flow(steps, _indices(graph, _INPUTS, len(tensors)), constants, _RULES)


def _operation(code: Table) -> str:
    number = max(code.scalar(0, "b"), code.scalar(3, "i"))
    if code.has(1) or number not in OPERATIONS:
        what = f"the operation {code.text(1)[:80]}" if code.has(1) else f"operation {number}"
        raise UnfitError(f"it holds {what}, which the light scorer does not run")
    return OPERATIONS[number]


def _data(buffer: Table) -> Array:
    if buffer.has(*_ELSEWHERE):
        raise UnfitError("it has numbers behind its end, or in other files")
    return buffer.vector(_DATA, "u1")


def _kind(tensor: Table) -> np.dtype[Any]:
    kind = _TYPES.get(tensor.scalar(_TYPE, "b"))
    if kind is None or tensor.has(*_ODD_TENSOR):
        raise UnfitError(f"its tensor {tensor.text(_NAME)[:80]!r} is of a kind that no export has")
    shape = tensor.vector(_SHAPE, "<i4").tolist()
    if len(shape) > 16 or min(shape, default=0) < 0:
        raise UnfitError(f"its tensor {tensor.text(_NAME)[:80]!r} has a shape that is none")
    return kind


def _numbers(tensor: Table, kind: np.dtype[Any], data: Array) -> Array:
    shape = tensor.vector(_SHAPE, "<i4").tolist()
    if math.prod(shape) * kind.itemsize != len(data):
        raise UnfitError(
            f"its tensor {tensor.text(_NAME)[:80]!r} says {shape}, which it does not hold"
        )
    # A truth value of another number is one thing to one operation and another to the next.
    if kind == np.bool_ and len(data) and data.max() > 1:
        raise UnfitError("it has truth values that are neither true nor false")
    return data.view(kind)


def _check_signatures(model: Table, graph: Table, n_tensors: int) -> None:
    signatures = model.tables(_SIGNATURES)
    if len(signatures) != 1 or signatures[0].scalar(4, "I"):
        raise UnfitError("it has no signature, or several, or one of another graph")
    for field, ends in ((0, _INPUTS), (1, _OUTPUTS)):
        found = [entry.scalar(1, "I") for entry in signatures[0].tables(field)]
        if sorted(map(str, found)) != sorted(_indices(graph, ends, n_tensors)):
            raise UnfitError("its signature names other tensors than its graph")


def _indices(table: Table, field: int, n_tensors: int) -> tuple[str, ...]:
    """Numbers of tensors, as names; '' for none."""
    found = table.vector(field, "<i4").tolist()
    if not all(-1 <= i < n_tensors for i in found):
        raise UnfitError("it refers to a tensor that is not there")
    return tuple("" if i < 0 else str(i) for i in found)


def _step(operator: Table, names: list[str], kinds: list[np.dtype[Any]]) -> Step:
    index = operator.scalar(_INDEX, "I")
    if index >= len(names):
        raise UnfitError("it refers to an operation that is not there")
    if operator.has(*_ODD_OPERATOR):
        raise UnfitError(f"its {names[index]} has settings that no export has")
    if at := operator.place(_OPTIONS, 4):
        operator.buffer.table(at + operator.buffer.number(at, "I"))
    inputs, outputs = (_indices(operator, field, len(kinds)) for field in (1, 2))
    dtype = kinds[int(outputs[0])] if outputs and outputs[0] else None
    return Step(names[index], inputs, outputs, dtype)
