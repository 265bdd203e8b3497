"""Whether a column is constant, for everything that divides by a spread.

Equal numbers often differ in their last digits, after sums in another order or in files of rounded
numbers. Divided by such a spread, the rounding error of a new row would look like an anomaly.
"""

import numpy as np
import numpy.typing as npt

from aegmm_detect.types import Array, FloatArray

# The last sixth of the digits can be rounding errors: 9e-14 of a float64, 2e-6 of a float32. For
# float64, that leaves room for hundreds of additions, and seconds since 1970 keep milliseconds.
_SHARE_OF_DIGITS = 5 / 6


def rounding(dtype: npt.DTypeLike) -> float:
    """The largest relative difference of numbers of `dtype` that can come from rounding.

    Whole numbers are exact, but are converted to float64.
    """
    kind = np.dtype(dtype)
    eps = np.finfo(kind if kind.kind == "f" else np.float64).eps
    return float(max(eps, np.finfo(np.float64).eps) ** _SHARE_OF_DIGITS)


def is_constant(spread: Array, size: Array, relative: float) -> Array:
    """Whether each spread is no more than rounding errors.

    Parameters
    ----------
    spread
        Spreads of several columns: ranges, standard deviations or others.
    size
        Size of the numbers of each column.
    relative
        See `rounding`.
    """
    constant: Array = spread <= relative * np.abs(size)
    return constant


def divisor(spread: Array, size: Array, relative: float) -> FloatArray:
    """Numbers to divide columns by: the spread, or 1 for constant columns.

    If rounding errors are larger than 1, as for numbers beyond 1e13, a constant column gets their
    size.
    """
    noise = relative * np.abs(size)
    divided: FloatArray = np.where(
        is_constant(spread, size, relative), np.maximum(noise, 1.0), spread
    )
    return divided
