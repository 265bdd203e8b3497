"""Plain values as JSON and arrays, and back: a checkpoint holds nothing else, and no pickle.

Plain are None, bool, int, float, str, NumPy's numbers and arrays, and lists, tuples, sets and
dictionaries of plain values.
"""

import hashlib
import json
from typing import Any

import numpy as np

from aegmm_detect.types import Array

_ATOMS = (type(None), bool, int, float, str)
_CONTAINERS = {"tuple": tuple, "set": set, "dict": dict}
# Numbers and text. Objects need a pickle; other kinds are no numbers to NumPy's file format.
_KINDS = "biufcSU"


def pack(value: Any, arrays: dict[str, Array]) -> Any:
    """What JSON can hold of `value`; its arrays go into `arrays`.

    Parameters
    ----------
    value
        A plain value.
    arrays
        Is added to, under names that the result refers to.

    Raises
    ------
    TypeError
        Names the type that is not plain.
    """
    kind = type(value)
    if kind in _ATOMS:
        return value
    # Not a masked array, which would lose its mask.
    if (kind is np.ndarray or isinstance(value, np.generic)) and value.dtype.kind in _KINDS:
        name = str(len(arrays))
        arrays[name] = np.array(value)  # a copy: its owner goes on to change it
        return {"array" if kind is np.ndarray else "number": name}
    if kind is np.ndarray and value.dtype.isbuiltin == 2:
        # bfloat16 and its like, which NumPy's file format takes for bytes without a meaning.
        bits = value.view(f"u{value.dtype.itemsize}")
        return {"bits": [value.dtype.name, pack(bits, arrays)]}
    if kind is list:
        return [pack(item, arrays) for item in value]
    if kind is tuple:
        return {"tuple": [pack(item, arrays) for item in value]}
    if kind is set:
        # In an order that is the same in every process.
        return {"set": [pack(item, arrays) for item in sorted(value, key=repr)]}
    if kind is dict:
        return {"dict": [pack(list(pair), arrays) for pair in value.items()]}
    raise TypeError(f"{kind.__name__} is not plain")


def unpack(tree: Any, arrays: dict[str, Array]) -> Any:
    """Inverse of `pack`.

    Raises
    ------
    KeyError, TypeError, ValueError
        This is nothing that `pack` made.
    """
    if isinstance(tree, list):
        return [unpack(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind in ("array", "number"):
        return arrays[content] if kind == "array" else arrays[content][()]
    if kind == "bits":
        dtype, bits = content
        return unpack(bits, arrays).view(dtype)
    return _CONTAINERS[kind](unpack(content, arrays))


def digest(value: Any) -> str | None:
    """A short text that differs where plain values differ; None if `value` is not plain."""
    arrays: dict[str, Array] = {}
    try:
        tree = pack(value, arrays)
    except TypeError:
        return None
    content = hashlib.blake2b(json.dumps(tree).encode(), digest_size=16)
    for array in arrays.values():
        content.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return content.hexdigest()
