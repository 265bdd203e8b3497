"""Numbers and arrays out of an inert pickle, as NumPy, TensorFlow and dill write them."""

import math
import sys
from typing import Any

import numpy as np

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate.named import Named, described
from aegmm_detect.types import Array

# NumPy 2 renamed its private module.
_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_SCALAR = tuple(f"{module}.scalar" for module in _MULTIARRAY)
_RECONSTRUCT = tuple(f"{module}._reconstruct" for module in _MULTIARRAY)
_NDARRAY = "numpy.ndarray"
_DTYPE = "numpy.dtype"
_TENSOR = "tensorflow.python.framework.ops.convert_to_tensor"
_DILL_ARRAY = ("dill._dill._create_array", "dill.dill._create_array")

NAMES = frozenset({*_SCALAR, *_RECONSTRUCT, _NDARRAY, _DTYPE, _TENSOR, *_DILL_ARRAY})

# The arrays of a mixture have three axes at most; the product of larger shapes may have no end.
_MOST_AXES, _LONGEST_AXIS = 4, 2**32
_KINDS = {"f2", "f4", "f8", "i4", "i8"}


def number(value: Any, what: str) -> float | None:
    """A finite Python or NumPy number, or None.

    Raises
    ------
    MigrationError
        It is anything else; the message begins with `what`.
    """
    if value is None:
        return None
    if isinstance(value, Named):
        if value.name in _SCALAR:
            dtype, data = _arguments(value, 2, what)
            values = _from_bytes((), dtype, False, data, what)
        else:
            values = array(value, what)
        value = values.item() if values.size == 1 else value
    # The limit is float64's; an int can be of any size.
    if type(value) in (int, float) and abs(value) <= sys.float_info.max:
        return float(value)
    raise _unexpected(value, what, "a finite number")


def array(value: Any, what: str) -> Array:
    """An array, bare, within a TensorFlow tensor or as dill wraps it.

    Raises
    ------
    MigrationError
        It is anything else; the message begins with `what`.
    """
    if isinstance(value, Named) and value.name == _TENSOR:
        (value,) = _arguments(value, 1, what)
    state = None
    if isinstance(value, Named) and value.name in _DILL_ARRAY:
        function, _, state, _ = _arguments(value, 4, what)
        if not (isinstance(function, Named) and function.name in _RECONSTRUCT):
            raise _unexpected(function, what, "an array")
    elif isinstance(value, Named) and value.name in _RECONSTRUCT:
        state = value.state
    if not (isinstance(state, tuple) and len(state) == 5):
        raise _unexpected(value, what, "an array")
    _, shape, dtype, fortran, data = state
    return _from_bytes(shape, dtype, fortran, data, what)


def _from_bytes(shape: Any, dtype: Any, fortran: Any, data: Any, what: str) -> Array:
    kind = _dtype(dtype, what)
    if not (isinstance(shape, tuple) and len(shape) <= _MOST_AXES and all(map(_is_length, shape))):
        raise _unexpected(shape, what, "a shape")
    if not isinstance(data, bytes) or len(data) != math.prod(shape) * kind.itemsize:
        raise MigrationError(f"{what} does not hold the bytes of an array of shape {shape}.")
    values = np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
    return values.astype(kind.newbyteorder("="))


def _is_length(value: Any) -> bool:
    return type(value) is int and 0 < value <= _LONGEST_AXIS


def _dtype(value: Any, what: str) -> np.dtype:
    if isinstance(value, Named) and value.name == _DTYPE and value.arguments:
        kind, order = value.arguments[0], "<"
        if isinstance(value.state, tuple) and len(value.state) > 1:
            order = value.state[1]
        if isinstance(kind, str) and kind in _KINDS and order in ("<", ">"):
            return np.dtype(order + kind)
    raise _unexpected(value, what, "numbers")


def _arguments(call: Named, count: int, what: str) -> tuple[Any, ...]:
    if call.arguments is None or len(call.arguments) != count:
        raise _unexpected(call, what, f"a call with {count} arguments")
    return call.arguments


def _unexpected(value: Any, what: str, wanted: str) -> MigrationError:
    return MigrationError(f"{what} holds {described(value)} in place of {wanted}.")
