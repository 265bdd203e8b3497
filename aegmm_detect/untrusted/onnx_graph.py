"""Is an ONNX file a graph such as `detector.export` writes? Decided before a runtime sees it.

onnxruntime reads other files for tensors that say so, runs loops without end, and divides by zero.
So the file is read here first, by a reader of its own (`protobuf` says why), and only graphs of
known operations go on: tensors within the file, no graphs within nodes, no functions, and sizes
that depend on the number of rows alone.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.types import Array
from aegmm_detect.untrusted.flow import Rules, Step, check_flow, words
from aegmm_detect.untrusted.onnx_fields import MODEL
from aegmm_detect.untrusted.protobuf import Reader

# What was found in exports of every class of detector, score and scaling, and of nets with each of
# Keras's layers and activations that tf2onnx can convert (`tests/export/test_operations.py` makes
# them again); and a few more of the same kind, which other versions of tf2onnx write in their
# place: functions of single numbers, pooling over all, products.
OPERATIONS = words(
    """
    Abs Add And ArgMax AveragePool Cast Ceil Clip Concat ConstantOfShape Conv ConvTranspose Cos
    CumSum Div Einsum Elu Equal Erf Exp Expand Flatten Floor Gather Gemm GlobalAveragePool
    GlobalMaxPool Greater GreaterOrEqual Identity IsInf IsNaN LSTM LeakyRelu Less LessOrEqual
    Log LogSoftmax MatMul Max MaxPool Min Mod Mul Neg Not OneHot Or PRelu Pad Pow Range
    Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Relu Reshape Resize
    ReverseSequence Round Selu Shape Sigmoid Sign Sin Slice Softmax Softplus Softsign Split Sqrt
    Squeeze Sub Tanh Tile TopK Transpose Unsqueeze Where
    """
)
# Types of numbers that may stand in a graph, by ONNX's numbers for them.
_TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    11: np.dtype("<f8"),
}
_MOST_AXES, _LONGEST_AXIS = 16, 2**31
# Lists of numbers of a tensor, the types that use them, and the field for each.
_LISTS = {"float_data": (1,), "int32_data": (6, 9), "int64_data": (7,), "double_data": (11,)}
# Attributes: number of the type -> field.
_VALUES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}
_RULES = Rules(
    sizes={
        "ConstantOfShape": (0,),
        "Expand": (1,),
        "OneHot": (1,),
        "Pad": (1,),
        "Range": (0, 1, 2),
        "Reshape": (1,),
        "Resize": (1, 2, 3),
        "Slice": (1, 2, 3, 4),
        "Split": (1,),
        "Squeeze": (1,),
        "Tile": (1,),
        "TopK": (1,),
        "Unsqueeze": (1,),
    },
    making={"ConstantOfShape": (0,), "Expand": (1,), "Range": (0, 1, 2), "Tile": (1,)},
    shapes=frozenset({"Shape"}),
    like={"OneHot": 2, "Where": 1},
    integers=frozenset({"ArgMax", "ArgMin"}),
    second_integers=frozenset({"TopK"}),
    dividing=frozenset({"Div", "Mod"}),
    on_shapes=words(
        """
        Add Cast Concat Div Gather Identity Max Mul Neg Range ReduceProd Reshape Shape Slice Split
        Squeeze Sub Unsqueeze
        """
    ),
)


def check_onnx(content: bytes) -> None:
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
    model = Reader().message(memoryview(content), MODEL)
    graph = model.get("graph", {})
    tensors = [_tensor(tensor) for tensor in graph.get("initializer", [])]
    constants = {tensor.name: tensor.value for tensor in tensors}
    if "" in constants or len(constants) < len(tensors):
        raise ArtefactError("it has two tensors of one name, or one without")
    inputs = [_named(value) for value in graph.get("input", [])]
    # Older files name tensors as inputs, too.
    rows = [name for name in inputs if name not in constants]
    for value in (*graph.get("output", []), *graph.get("value_info", [])):
        _named(value)
    steps = [_step(node) for node in graph.get("node", [])]
    check_flow(steps, rows, constants, _RULES)


class _Tensor(NamedTuple):
    name: str
    value: Array


def _named(value: Mapping[str, Any]) -> str:
    """Name of a value whose type is a tensor's."""
    kind = value.get("type", {}).get("tensor_type", {})
    if kind.get("elem_type", 1) not in _TYPES:
        raise ArtefactError("it has a value of an unknown type")
    name: str = value.get("name", "")
    return name


def _tensor(tensor: Mapping[str, Any]) -> _Tensor:
    """A tensor that is wholly in the file."""
    name, code, dims = tensor.get("name", ""), tensor.get("data_type"), tensor.get("dims", [])
    dtype = _TYPES.get(code) if code is not None else None
    if dtype is None:
        raise ArtefactError(f"its tensor {name[:80]!r} is of an unknown type")
    if tensor.get("data_location", 0):
        raise ArtefactError("it holds external data, which no export may have")
    if len(dims) > _MOST_AXES or not all(0 <= n < _LONGEST_AXIS for n in dims):
        raise ArtefactError(f"its tensor {name[:80]!r} has an invalid shape")
    size = math.prod(dims)
    found = [key for key in ("raw_data", *_LISTS) if key in tensor]
    if found == ["raw_data"]:
        numbers: Array = np.frombuffer(_whole(tensor["raw_data"], size, dtype), dtype)
    elif not found:
        numbers = np.empty(0, dtype)
    else:
        if len(found) > 1 or code not in _LISTS[found[0]]:
            raise ArtefactError(f"its tensor {name[:80]!r} holds numbers of another type")
        numbers = _as_array(tensor[found[0]], dtype)
    if numbers.size != size:
        raise ArtefactError(f"its tensor {name[:80]!r} says {dims}, which it does not hold")
    return _Tensor(name, numbers)


def _whole(data: memoryview, size: int, dtype: np.dtype[Any]) -> memoryview:
    # Onnxruntime takes bytes for truth values as they are.
    if len(data) != size * dtype.itemsize or (dtype == np.bool_ and size and max(data) > 1):
        raise ArtefactError("a tensor says a shape that it does not hold")
    return data


def _as_array(numbers: list[Any], dtype: np.dtype[Any]) -> Array:
    try:
        return np.array(numbers, dtype)
    except OverflowError as error:
        raise ArtefactError("a tensor holds numbers beyond its type") from error


def _step(node: Mapping[str, Any]) -> Step:
    op, domain = node.get("op_type", ""), node.get("domain", "")
    if domain or op not in OPERATIONS:
        full = f"{domain}.{op}" if domain else op
        # tf2onnx makes names of nodes from those of layers.
        raise ArtefactError(
            f"it holds the operation {full[:80]} (in {node.get('name', '')[:200]!r}), which the "
            "light scorer does not run"
        )
    attributes: dict[str, Any] = {}
    for attribute in node.get("attribute", []):
        name, value = _attribute(attribute)
        if name in attributes:
            raise ArtefactError(f"a node {op} has an attribute twice")
        attributes[name] = value
    dtype = None
    if op == "Cast":
        dtype = _TYPES.get(attributes.get("to", 0))
        if dtype is None:
            raise ArtefactError("it casts to an unknown type")
    elif op == "ConstantOfShape":
        dtype = attributes["value"].dtype if "value" in attributes else np.dtype("<f4")
    return Step(op, tuple(node.get("input", [])), tuple(node.get("output", [])), dtype)


def _attribute(attribute: Mapping[str, Any]) -> tuple[str, Any]:
    """Name and value, of the type that the attribute names."""
    name = attribute.get("name", "")
    key = _VALUES.get(attribute.get("type", 0))
    if key is None or attribute.keys() - {"name", "type", "doc_string", key}:
        raise ArtefactError(f"its attribute {name[:80]!r} is of an unknown type, or of two")
    value = attribute.get(key)
    return name, _tensor(value).value if key == "t" and value is not None else value
