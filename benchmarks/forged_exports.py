"""Changed copies of exports, sealed again; `fuzz_exports` opens them."""

import hashlib
import json
import random
from pathlib import Path

import numpy as np

from aegmm_detect.configs.export import METADATA_FILE, MODEL_FILES
from benchmarks import fuzzing

EXTREMES = (0, 1, -1, 2, 7, 255, 65536, 2**31 - 1, -(2**31), 2**31, 2**62, -(2**63), 2_000_000_000)


def mutate(export: Path, path: Path, draw: random.Random, kind: str) -> None:
    """A changed copy of an export at `path`, with hashes that fit.

    Parameters
    ----------
    export
        That is copied.
    path
        To be made.
    draw
        Source of chance.
    kind
        'bytes', 'graph' or 'metadata'.
    """
    fields = json.loads((export / METADATA_FILE).read_text())
    del fields["metadata_sha256"]
    name = MODEL_FILES[fields["format"]]
    model = (export / name).read_bytes()
    if kind == "bytes":
        model = fuzzing.mutate_bytes(model, draw)
    elif kind == "graph":
        model = _in_graph(model, fields["format"], draw)
    fields["sha256"] = hashlib.sha256(model).hexdigest()
    if kind == "metadata":
        fields = fuzzing.mutate_json(fields, draw, keep=("kind", "format", "format_version"))
    path.mkdir()
    (path / name).write_bytes(model)
    (path / METADATA_FILE).write_text(fuzzing.sealed_again(fields, "metadata_sha256"))


def _in_graph(model: bytes, format: str, draw: random.Random) -> bytes:
    return (_in_onnx if format == "onnx" else _in_litert)(model, draw)


def _in_onnx(content: bytes, draw: random.Random) -> bytes:
    import onnx

    model = onnx.load_from_string(content)
    graph, kind = model.graph, draw.randrange(5)
    node = draw.choice(graph.node)
    if kind == 0:
        node.op_type = draw.choice(graph.node).op_type
    elif kind == 1:
        node.input[draw.randrange(len(node.input))] = draw.choice(
            [tensor.name for tensor in graph.initializer] + [n.output[0] for n in graph.node]
        )
    elif kind == 2:
        whole = [a for n in graph.node for a in n.attribute if a.type in (2, 7)]
        attribute = draw.choice(whole)
        if attribute.type == 2:
            attribute.i = draw.choice(EXTREMES[:10])
        elif attribute.ints:
            attribute.ints[draw.randrange(len(attribute.ints))] = draw.choice(EXTREMES)
    elif kind == 3:
        tensor = draw.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[draw.randrange(len(tensor.dims))] = draw.choice(EXTREMES)
        else:
            tensor.dims.append(draw.choice(EXTREMES))
    else:
        whole = [tensor for tensor in graph.initializer if tensor.data_type in (6, 7)]
        tensor = draw.choice(whole)
        numbers = onnx.numpy_helper.to_array(tensor).copy()
        if numbers.size:
            limits = np.iinfo(numbers.dtype)
            value = min(max(draw.choice(EXTREMES), limits.min), limits.max)
            numbers.reshape(-1)[draw.randrange(numbers.size)] = value
        tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, tensor.name))
    return bytes(model.SerializeToString())


def _in_litert(content: bytes, draw: random.Random) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph, kind = model.subgraphs[0], draw.randrange(5)
    operator = draw.choice(graph.operators)
    small = [value for value in EXTREMES if -(2**31) <= value < 2**31]
    if kind == 0:
        operator.opcodeIndex = draw.randrange(len(model.operatorCodes))
    elif kind == 1:
        operator.inputs = list(operator.inputs)
        operator.inputs[draw.randrange(len(operator.inputs))] = draw.randrange(len(graph.tensors))
    elif kind == 2 and operator.builtinOptions is not None:
        options = vars(operator.builtinOptions)
        whole = [key for key, value in options.items() if type(value) is int]
        if whole:
            options[draw.choice(whole)] = draw.choice([0, 1, 3, 100])
    elif kind == 3:
        tensor = draw.choice(graph.tensors)
        tensor.shape = [draw.choice(small) for _ in range(draw.randrange(5))]
    else:
        tensor = draw.choice(graph.tensors)
        data = model.buffers[tensor.buffer].data
        if tensor.type in (2, 4) and data is not None and len(data) >= 4:
            numbers = np.array(data, np.uint8).view(np.int32)
            numbers[draw.randrange(len(numbers))] = draw.choice(small)
            model.buffers[tensor.buffer].data = numbers.view(np.uint8)
    builder = flatbuffers.Builder(2**16)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except Exception:  # the options of another operation, which no file can hold
        return fuzzing.mutate_bytes(content, draw)
    return bytes(builder.Output())
