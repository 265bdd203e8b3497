"""Plain values as JSON and arrays, and back: a checkpoint holds nothing else, and no pickle.

Plain are None, bool, int, float, str, NumPy's numbers and arrays, and lists, tuples, sets and
dictionaries of plain values, some twenty levels deep at most.
"""

import hashlib
import json
import re
from typing import Any

import numpy as np

from aegmm_detect.types import Array
from aegmm_detect.untrusted.text import LARGEST_INTEGER

_ATOMS = (type(None), bool, int, float, str)
# Numbers and text. Objects need a pickle; other kinds are not numbers to NumPy's file format.
KINDS = "biufcSU"
# Of containers in each other. Each takes up to three levels of JSON, whose reader takes 100.
_MOST_LEVELS, _MOST_LEVELS_IN_ALL = 20, 30
_MOST_BITS = 4096  # of an integer
# Texts and numbers have hashes that do not meet by design; those of tuples could.
_MOST_TUPLES = 10_000
_NAME_OF_DTYPE = re.compile("[a-z][a-z0-9_]{1,30}")


def pack(value: Any, arrays: dict[str, Array], levels: int = _MOST_LEVELS_IN_ALL) -> Any:
    """What JSON can hold of `value`; its arrays go into `arrays`.

    Parameters
    ----------
    value
        A plain value.
    arrays
        Is added to, under names that the result refers to.
    levels
        Of containers in each other that fit.

    Raises
    ------
    TypeError
        Names the type that is not plain.
    """
    kind = type(value)
    if kind is int and abs(value) > LARGEST_INTEGER and value.bit_length() <= _MOST_BITS:
        return {"integer": hex(value)}
    if kind in _ATOMS and not (kind is int and abs(value) > LARGEST_INTEGER):
        return value
    # Not a masked array, which would lose its mask.
    if (kind is np.ndarray or isinstance(value, np.generic)) and value.dtype.kind in KINDS:
        name = str(len(arrays))
        arrays[name] = np.array(value)  # a copy: its owner goes on to change it
        return {"array" if kind is np.ndarray else "number": name}
    if kind is np.ndarray and value.dtype.isbuiltin == 2:
        # bfloat16 and its like, which NumPy's file format treats as bytes without a meaning.
        bits = value.view(f"u{value.dtype.itemsize}")
        return {"bits": [value.dtype.name, pack(bits, arrays)]}
    if levels <= 0:  # perhaps it contains itself
        raise TypeError(f"{kind.__name__} in too many others is not plain")
    inner = levels - 1
    if kind is list:
        return [pack(item, arrays, inner) for item in value]
    if kind is tuple:
        return {"tuple": [pack(item, arrays, inner) for item in value]}
    if kind is set:
        # In an order that is the same in every process.
        return {"set": [pack(item, arrays, inner) for item in sorted(value, key=repr)]}
    if kind is dict:
        return {
            "dict": [[pack(k, arrays, inner), pack(v, arrays, inner)] for k, v in value.items()]
        }
    raise TypeError(f"{kind.__name__} is not plain")


def unpack(tree: Any, arrays: dict[str, Array]) -> Any:
    """Inverse of `pack`.

    Parameters
    ----------
    tree
        As JSON has it, within the bounds of `aegmm_detect.untrusted.text`.
    arrays
        By name.

    Raises
    ------
    ValueError
        This is nothing that `pack` made.
    """
    if isinstance(tree, list):
        return [unpack(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) != 1:
        raise ValueError(f"an object of {len(tree)} members")
    ((kind, content),) = tree.items()
    if kind in ("array", "number"):
        return _array(content, arrays, kind == "number")
    if kind == "integer":
        return _integer(content)
    if kind == "bits":
        return _bits(content, arrays)
    if kind not in ("tuple", "set", "dict") or not isinstance(content, list):
        raise ValueError(f"no plain value is {kind[:40]!r}")
    items = unpack(content, arrays)
    if kind == "tuple":
        return tuple(items)
    if kind == "set":
        found = set(_keys(items))
    else:
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in items):
            raise ValueError("a dictionary of other things than pairs")
        _keys([key for key, _ in items])
        found = dict(items)  # type: ignore[assignment]
    if len(found) < len(items):
        raise ValueError("a key twice")
    return found


def named_arrays(tree: Any) -> list[str]:
    """Names of the arrays that the result of `pack` refers to."""
    names: list[str] = []
    left = [tree]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left.extend(value)
        elif isinstance(value, dict):
            names += [str(value[kind]) for kind in ("array", "number") if kind in value]
            left.extend(value.values())
    return names


def digest(value: Any) -> str | None:
    """A short text that differs where plain values differ; None if `value` is not plain."""
    arrays: dict[str, Array] = {}
    try:
        tree = pack(value, arrays, _MOST_LEVELS)
    except TypeError:
        return None
    content = hashlib.blake2b(json.dumps(tree).encode(), digest_size=16)
    for array in arrays.values():
        content.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return content.hexdigest()


def _array(name: Any, arrays: dict[str, Array], single: bool) -> Any:
    array = arrays.get(name) if isinstance(name, str) else None
    if array is None or (single and array.shape):
        raise ValueError("an array that is not there, or not a single number")
    return array[()] if single else array


def _integer(text: Any) -> int:
    if not isinstance(text, str) or not re.fullmatch(f"-?0x[0-9a-f]{{1,{_MOST_BITS // 4}}}", text):
        raise ValueError("not an integer")
    return int(text, 16)


def _bits(content: Any, arrays: dict[str, Array]) -> Array:
    if not (isinstance(content, list) and len(content) == 2 and isinstance(content[0], str)):
        raise ValueError("no bits of numbers")
    name, bits = content[0], unpack(content[1], arrays)
    if not (_NAME_OF_DTYPE.fullmatch(name) and isinstance(bits, np.ndarray)):
        raise ValueError("no bits of numbers")
    try:
        dtype = np.dtype(name)
    except TypeError as problem:
        raise ValueError(f"no numbers are {name!r}") from problem
    if dtype.isbuiltin != 2 or bits.dtype != np.dtype(f"u{dtype.itemsize}"):
        raise ValueError(f"no numbers are {name!r}")
    return bits.view(dtype)


def _keys(keys: list[Any]) -> list[Any]:
    """What can be found again by its hash, and has no hash that somebody chose."""
    if not all(map(_is_key, keys)) or sum(type(k) is tuple for k in keys) > _MOST_TUPLES:
        raise ValueError("keys that are not numbers, texts or tuples of them")
    return keys


def _is_key(key: Any) -> bool:
    if type(key) is tuple:
        return all(map(_is_key, key))
    return type(key) in _ATOMS or isinstance(key, np.generic)
