"""Is a column constant? The one answer for all that divides by how far numbers spread.

Equal numbers often differ in their last digits: added up in another order, or read from a file that
rounds. Divided by such a spread, the next row's rounding would look like an anomaly.
"""

import numpy as np
import numpy.typing as npt

from aegmm_detect.types import Array, FloatArray

# The last sixth of a number's digits may be rounding: 9e-14 of a float64, 2e-6 of a float32. Of
# float64 numbers, that is room for hundreds of additions, and seconds since 1970 keep milliseconds.
_SHARE_OF_DIGITS = 5 / 6


def rounding(dtype: npt.DTypeLike) -> float:
    """The largest relative difference that numbers of `dtype` may owe to rounding.

    Whole numbers are exact, but become float64.
    """
    kind = np.dtype(dtype)
    eps = np.finfo(kind if kind.kind == "f" else np.float64).eps
    return float(max(eps, np.finfo(np.float64).eps) ** _SHARE_OF_DIGITS)


def is_constant(spread: Array, size: Array, relative: float) -> Array:
    """Where a spread is no more than rounding.

    Parameters
    ----------
    spread
        Of several columns, in any measure: a range, a deviation.
    size
        Of the numbers that the spread is of, in absolute value.
    relative
        See `rounding`.
    """
    constant: Array = spread <= relative * np.abs(size)
    return constant


def divisor(spread: Array, size: Array, relative: float) -> FloatArray:
    """What to divide by: the spread, or for constant columns 1.

    Where even rounding is larger than 1, as in numbers beyond 1e13, a constant column gets that.
    """
    noise = relative * np.abs(size)
    divided: FloatArray = np.where(
        is_constant(spread, size, relative), np.maximum(noise, 1.0), spread
    )
    return divided
