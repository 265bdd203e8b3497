"""Formulas for functions that some runtimes of exported graphs lack, in float32.

LiteRT has no inverse hyperbolic sine, and onnxruntime has none in float64. A test of finiteness is
one operation in one runtime and three in another. All runtimes have the operations used here:
comparisons, minima, products, square root and logarithm.
"""

import math

import numpy as np
from keras import ops

from aegmm_detect.types import FloatArray, Tensor

_LARGEST = float(np.finfo(np.float32).max)
# Below, the series is exact to 1e-9; above, the logarithm's argument is far enough from 1.
_SERIES_UP_TO = 0.25
# Coefficients of x, x^3, ... x^11: (-1)^k (2k)! / (4^k k!^2 (2k + 1)).
_SERIES = tuple(
    (-1) ** k * math.factorial(2 * k) / (4**k * math.factorial(k) ** 2 * (2 * k + 1))
    for k in range(6)
)
# Beyond, x^2 + 1 is x^2, and soon overflows.
_SQUARE_UP_TO = 1e8


def is_finite(x: Tensor) -> Tensor:
    """Whether each value is neither NaN nor infinite."""
    # Every comparison with NaN is false.
    return ops.abs(x) <= _LARGEST


def arcsinh(x: Tensor) -> Tensor:
    """Inverse hyperbolic sine, to a relative error of 1e-6."""
    size = ops.abs(x)
    near = ops.minimum(size, _SERIES_UP_TO)
    square = near * near
    series = _SERIES[-1]
    for coefficient in reversed(_SERIES[:-1]):
        series = series * square + coefficient
    far = ops.clip(size, _SERIES_UP_TO, _SQUARE_UP_TO)
    logarithm = ops.log(far + ops.sqrt(far * far + 1.0)) + ops.log(ops.maximum(size, far) / far)
    return ops.sign(x) * ops.where(size < _SERIES_UP_TO, near * series, logarithm)


def standardize(x: Tensor, offset: FloatArray, scale: FloatArray) -> Tensor:
    """(x - offset) / scale in float32, as exact as in float64 with rounding at the end.

    Parameters
    ----------
    x
        Rows, float32.
    offset, scale
        In float64. The offset is subtracted in two parts. The first difference is exact if `x` is
        near the offset.
    """
    high = offset.astype(np.float32)
    low = (offset - high).astype(np.float32)
    return (x - high - low) / scale.astype(np.float32)


def first_largest(x: Tensor) -> Tensor:
    """Index of the first largest value of each row, (..., K) -> int32 (...).

    Keras's argmax orders -0.0 and 0.0 by bit operations, which LiteRT and onnxruntime lack.
    """
    index = np.arange(x.shape[-1], dtype=np.int32)
    is_largest = x >= ops.max(x, axis=-1, keepdims=True)
    return ops.min(ops.where(is_largest, index, index[-1]), axis=-1)
