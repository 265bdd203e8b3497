"""Fields of ONNX's messages, by the numbers that the format gives them.

What stands in none is unknown, and refused by the reader, as are those that name what no export may
hold.
"""

from aegmm_detect.untrusted.protobuf import Field


def _refused(name: str) -> Field:
    return Field(name, "refused")


_ENTRY = {1: Field("key", "text"), 2: Field("value", "text")}
_TENSOR = {
    1: Field("dims", "int", True),
    2: Field("data_type", "int"),
    3: _refused("a tensor in segments"),
    4: Field("float_data", "float", True),
    5: Field("int32_data", "int", True),
    6: _refused("a tensor of text"),
    7: Field("int64_data", "int", True),
    8: Field("name", "text"),
    9: Field("raw_data", "bytes"),
    10: Field("double_data", "double", True),
    12: Field("doc_string", "skipped"),
    13: _refused("external data"),
    14: Field("data_location", "int"),
}
_AXIS = {1: Field("dim_value", "int"), 2: Field("dim_param", "text")}
_SHAPE = {1: Field("dim", _AXIS, True)}
_TENSOR_TYPE = {1: Field("elem_type", "int"), 2: Field("shape", _SHAPE)}
_TYPE = {1: Field("tensor_type", _TENSOR_TYPE)}
_VALUE_INFO = {1: Field("name", "text"), 2: Field("type", _TYPE), 3: Field("doc", "skipped")}
_ATTRIBUTE = {
    1: Field("name", "text"),
    2: Field("f", "float"),
    3: Field("i", "int"),
    4: Field("s", "bytes"),
    5: Field("t", _TENSOR),
    6: _refused("a graph within a node (a loop or a branch; unroll=True does without)"),
    7: Field("floats", "float", True),
    8: Field("ints", "int", True),
    9: Field("strings", "bytes", True),
    10: _refused("tensors in a list"),
    11: _refused("graphs within a node (a loop or a branch)"),
    13: Field("doc_string", "skipped"),
    20: Field("type", "int"),
    21: _refused("an attribute of a function"),
    22: _refused("a sparse tensor"),
}
_NODE = {
    1: Field("input", "text", True),
    2: Field("output", "text", True),
    3: Field("name", "text"),
    4: Field("op_type", "text"),
    5: Field("attribute", _ATTRIBUTE, True),
    6: Field("doc_string", "skipped"),
    7: Field("domain", "text"),
}
_GRAPH = {
    1: Field("node", _NODE, True),
    2: Field("name", "text"),
    5: Field("initializer", _TENSOR, True),
    10: Field("doc_string", "skipped"),
    11: Field("input", _VALUE_INFO, True),
    12: Field("output", _VALUE_INFO, True),
    13: Field("value_info", _VALUE_INFO, True),
    15: _refused("a sparse tensor"),
}
_OPSET = {1: Field("domain", "text"), 2: Field("version", "int")}
MODEL = {
    1: Field("ir_version", "int"),
    2: Field("producer_name", "text"),
    3: Field("producer_version", "text"),
    4: Field("domain", "text"),
    5: Field("model_version", "int"),
    6: Field("doc_string", "skipped"),
    7: Field("graph", _GRAPH),
    8: Field("opset_import", _OPSET, True),
    14: Field("metadata_props", _ENTRY, True),
    20: _refused("a training graph"),
    25: _refused("functions"),
}
