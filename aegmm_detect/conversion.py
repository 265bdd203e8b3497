"""From data frames, lists and tensors to arrays of real numbers; what does not fit says why."""

import collections
import itertools
import math
import reprlib
from collections.abc import Callable
from typing import Any

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.listing import some_of
from aegmm_detect.types import Array
from aegmm_detect.value_kinds import Found, is_missing, look_at, remedy

ACCEPTED = (
    "Pass a NumPy array, a data frame, a tensor, a tf.data.Dataset, a keras PyDataset, or a "
    "function without arguments that returns an iterator of batches."
)
# Values of an array of objects that are looked at for one that an error can show.
_LOOKED_AT = 10_000


def as_frame(X: Any) -> Any:
    """`X` as a data frame whose columns have names, if it is one or an Arrow table; or None."""
    if not hasattr(X, "columns"):
        return None
    if hasattr(X, "to_numpy"):
        return X
    return X.to_pandas() if hasattr(X, "to_pandas") else None


def frame_to_array(frame: Any, see: Callable[[tuple[str, ...]], None]) -> Array:
    """Columns of a data frame as one array (N, F); `see` is called with their names.

    Raises
    ------
    InvalidInputError
        Columns without names of their own, or that do not hold numbers; and what `see` raises.
    """
    names = list(frame.columns)
    if not names:
        raise InvalidInputError("The data frame has no columns.")
    counts = collections.Counter(names)
    if repeated := sorted({str(name) for name in names if counts[name] > 1}):
        raise InvalidInputError(
            f"The data frame has several columns named {some_of(repeated)}: rename them, or pass "
            "X.to_numpy()."
        )
    see(tuple(str(name) for name in names))
    # Nullable columns arrive as objects; `None` and NA in them become NaN, text does not convert.
    converted, others = [], {}
    for name in names:
        try:
            converted.append(_real(np.asarray(frame[name].to_numpy())))
        except (TypeError, ValueError):
            others[str(name)] = np.asarray(frame[name].to_numpy())
    if others:
        raise InvalidInputError(
            f"The data frame's columns {some_of(others)} do not hold numbers. {_remedies(others)}"
        )
    return np.column_stack(converted)


def _remedies(columns: dict[str, Array]) -> str:
    """What to do about columns that do not hold numbers: one of each kind."""
    found: dict[str, tuple[str, Found]] = {}
    for name, values in columns.items():
        of_this = look_at(values)
        found.setdefault(of_this.kind, (name, of_this))
    return " ".join(
        f"{name!r} holds {remedy(own, f'X[{name!r}]')}." for name, own in found.values()
    )


def _real(values: Array) -> Array:
    if values.dtype == object:
        values = np.array([np.nan if is_missing(v) else v for v in values])
    if values.dtype.kind not in "biuf" or values.ndim != 1:
        raise TypeError(f"{values.dtype} values of shape {values.shape[1:]}")
    return values.astype(np.float32) if values.dtype.kind == "b" else values


def to_array(X: Any) -> Array:
    """Whatever NumPy takes, as an array of real numbers.

    Raises
    ------
    InvalidInputError
        Says what came, and how it becomes numbers.
    """
    kind = type(X).__name__
    if hasattr(X, "toarray") and hasattr(X, "tocsr"):
        raise InvalidInputError(
            f"X is a sparse matrix ({kind}): use X.toarray(), or pass a function that returns an "
            "iterator of dense batches where that is too large."
        )
    if hasattr(X, "to_frame") and hasattr(X, "to_numpy"):
        raise InvalidInputError(
            f"X is a {kind}, one row or one column. Keep a data frame by double brackets: one row "
            "is frame.iloc[[0]], one column is frame[['name']]."
        )
    if isinstance(X, np.ma.MaskedArray) and X.dtype.kind in "biuf":
        # `asarray` would bring back what the mask hides.
        X = np.ma.filled(X.astype(np.result_type(X.dtype, np.float32)), np.nan)
    try:
        array = np.asarray(X)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"X, a {kind}, is not an array of numbers ({error}). {ACCEPTED}"
        ) from error
    if array.dtype.kind == "b":
        array = array.astype(np.float32)
    if array.ndim == 0:
        what = "single number" if array.dtype.kind in "iufc" else kind
        raise InvalidInputError(f"X is a {what}. {ACCEPTED}")
    itself = "X" if isinstance(X, np.ndarray) else "np.asarray(X)"
    if array.dtype.kind in "OSUT":
        raise InvalidInputError(
            f"X holds {array.dtype} values{_example(array)}, not real numbers: convert it with "
            f"{itself}.astype(float), which makes None NaN. {_obstacle(array)}"
        )
    if array.dtype.kind in "Mm":
        zero = "np.datetime64('2000-01-01')"
        duration = f"({itself} - {zero})" if array.dtype.kind == "M" else itself
        raise InvalidInputError(
            f"X holds {array.dtype} values, not real numbers: take what matters about them as "
            f"numbers, such as the seconds {duration} / np.timedelta64(1, 's'). {ACCEPTED}"
        )
    if array.dtype.kind not in "iuf":
        raise InvalidInputError(f"X holds {array.dtype} values, not real numbers. {ACCEPTED}")
    return array


def _obstacle(array: Array) -> str:
    """What `astype(float)` would not take, if there is anything."""
    for place, value in enumerate(itertools.islice(array.flat, _LOOKED_AT)):
        try:
            if not is_missing(value):
                float(value)
        except (TypeError, ValueError):
            text = str(value) if isinstance(value, np.str_) else value
            row = place // max(1, math.prod(array.shape[1:]))
            return (
                f"The first value that is not a number is {reprlib.repr(text)}, in row {row} "
                "(counted from 0): encode or replace such values first."
            )
    return "Encode text that is not a number first."


def _example(array: Array) -> str:
    """A value that is not a number, if there is one soon."""
    for value in itertools.islice(array.flat, _LOOKED_AT):
        if not isinstance(value, (int, float, np.number)):
            text = str(value) if isinstance(value, np.str_) else value
            return f", such as {reprlib.repr(text)}"
    return ""
