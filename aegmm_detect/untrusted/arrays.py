"""Arrays of numbers in NumPy's own format, checked before memory is taken."""

import io
import math

import numpy as np

from aegmm_detect.exceptions import AEGMMError, ArtefactError
from aegmm_detect.types import Array


def array_to_bytes(array: Array) -> bytes:
    """A `.npy` file; objects are rejected, because they would need a pickle."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def array_from_bytes(
    content: bytes, name: str, kinds: str = "bfu", error: type[AEGMMError] = ArtefactError
) -> Array:
    """Inverse of `array_to_bytes`.

    Parameters
    ----------
    content
        Of the file, all of it.
    name
        For errors.
    kinds
        Kinds of `numpy.dtype` that fit. Default: truth values, real and unsigned numbers.
    error
        Raised for what does not fit.

    Raises
    ------
    AEGMMError
        No such file; objects or other kinds; more or fewer bytes than its shape takes.
    """
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):  # what is written for short headers, and all of ours are short
            raise error(f"{name} is an array of format {version}; (1, 0) fits.")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    except error:
        raise
    # The header is a Python literal: its reader raises a dozen types for what is not one.
    except Exception as problem:
        raise error(f"{name} is not an array of numbers: {problem}") from problem
    fits = dtype.kind in kinds and not dtype.hasobject
    # In Python's integers, which do not overflow.
    if not fits or math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise error(f"{name} says {shape} of {dtype}, which it does not hold.")
    stream.seek(0)
    try:
        return np.load(stream, allow_pickle=False)
    # Of no elements, a shape can still say sizes that no array has.
    except (ValueError, OverflowError, MemoryError) as problem:
        raise error(f"{name} says {shape}, which no array has: {problem}.") from problem
