"""From whatever the user holds to batches of real-valued rows that can be read again.

Arrays, lists, data frames and tensors become one array; a `tf.data.Dataset`, a Keras `PyDataset`
or a callable that returns an iterator stays a stream, read batch by batch. TensorFlow objects are
recognised by what they can do, so that this module loads without TensorFlow.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.types import Array

_ACCEPTED = (
    "Pass a NumPy array, a data frame, a tensor, a tf.data.Dataset, a keras PyDataset, or a "
    "function without arguments that returns an iterator of batches."
)


class Columns:
    """Names of the columns that every data frame must have; those of the first one by default."""

    def __init__(self, names: tuple[str, ...] | None = None) -> None:
        self.names = names

    def see(self, names: tuple[str, ...]) -> None:
        """Take note of a frame's columns, or raise `InvalidInputError`."""
        if self.names is None:
            self.names = names
        check_names(names, self.names)


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows that can be read more than once."""

    read: Callable[[], Iterator[Array]]  # a fresh pass over batches of rows, any batch sizes
    array: Array | None  # all rows, where they are in memory
    columns: Columns  # of data frames, also those that a stream yields

    def batches(self, batch_size: int) -> Iterator[Array]:
        """Batches for one pass: of `batch_size` from memory, as they come from a stream."""
        if self.array is None:
            return self.read()
        array = self.array
        return (array[i : i + batch_size] for i in range(0, len(array), batch_size))


def as_rows(X: Any, names: tuple[str, ...] | None = None) -> Rows:
    """Recognise `X`; nothing of a stream is read yet.

    Parameters
    ----------
    X
        What the user passed.
    names
        Columns that data frames must have, where they are known.

    Raises
    ------
    InvalidInputError
        Says what came and what is accepted.
    """
    columns = Columns(names)
    if X is None or isinstance(X, (str, bytes, dict)):
        raise InvalidInputError(f"X is a {type(X).__name__}. {_ACCEPTED}")
    if _is_frame(X):
        frame = X if hasattr(X, "to_numpy") else X.to_pandas()
        return _in_memory(_frame_to_array(frame, columns), columns)
    # Before the next question: an iterator over a tf.data.Dataset has an `element_spec`, too.
    if isinstance(X, Iterator):
        raise InvalidInputError(
            "X is a generator, which can be read only once, and fit needs several passes. Pass "
            "the function that makes it: fit(lambda: my_batches())."
        )
    if hasattr(X, "cardinality") and int(X.cardinality()) == -1:
        raise InvalidInputError(
            "X is a data set without an end. Leave .repeat() out: fit makes its own passes."
        )
    if hasattr(X, "element_spec"):
        return Rows(lambda: (_batch(item, columns) for item in X), None, columns)
    if callable(X) and not hasattr(X, "__array__"):
        return Rows(lambda: (_batch(item, columns) for item in _iterate(X())), None, columns)
    if hasattr(X, "__getitem__") and hasattr(X, "__len__") and hasattr(X, "on_epoch_end"):
        return Rows(lambda: (_batch(X[i], columns) for i in range(len(X))), None, columns)
    return _in_memory(_to_array(X), columns)


def check_shape(batch: Array, shape: tuple[int, ...], name: str = "X") -> None:
    """Raise unless `batch` holds rows of feature shape `shape`.

    Raises
    ------
    InvalidInputError
        Names the user's array and both shapes.
    """
    if batch.shape[1:] == shape:
        return
    if batch.ndim == 1 or batch.shape == shape:
        raise InvalidInputError(
            f"{name} has shape {batch.shape}: one row must still be a batch. Use "
            f"{name}[np.newaxis] for rows of shape {shape}."
        )
    if len(shape) == 1 and batch.ndim == 2:
        raise InvalidInputError(
            f"{name} has {batch.shape[1]} features per row, but the detector's nets take "
            f"{shape[0]}."
        )
    raise InvalidInputError(
        f"{name} has rows of shape {batch.shape[1:]}, but the detector's nets take {shape}."
    )


def check_names(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """Raise if two data frames disagree on their columns.

    Raises
    ------
    InvalidInputError
        Names the missing, unexpected or reordered columns.
    """
    if names == expected:
        return
    missing = [name for name in expected if name not in names]
    unexpected = [name for name in names if name not in expected]
    if missing or unexpected:
        what = f"missing {missing}, unexpected {unexpected}"
    else:
        what = "the same columns in another order"
    raise InvalidInputError(
        f"The data frame's columns differ from those seen by fit: {what}. "
        f"Select them in the order of fit: X[{list(expected)!r}]."
    )


def non_finite_rows(batch: Array) -> Array:
    """Indices of rows that hold NaN, infinity, or more than float32 can hold."""
    with np.errstate(all="ignore"):
        # One pass without a temporary; overflow of the sum itself only costs the second look.
        if np.isfinite(np.sum(batch, dtype=np.float32)):
            return np.empty(0, dtype=np.int64)
        finite = np.isfinite(batch.astype(np.float32, copy=False))
    return np.flatnonzero(~finite.reshape(len(batch), -1).all(axis=1))


def refuse_non_finite(rows: Array, name: str, remedy: str) -> None:
    """Raise, naming the first of the non-finite `rows`; do nothing if there are none.

    Raises
    ------
    InvalidInputError
        With row numbers.
    """
    if len(rows):
        shown = ", ".join(str(row) for row in rows[:5]) + (", ..." if len(rows) > 5 else "")
        raise InvalidInputError(
            f"{name} holds NaN, infinity or values beyond float32 in {len(rows)} "
            f"row{'s' if len(rows) > 1 else ''} (first: {shown}). {remedy}"
        )


def _in_memory(array: Array, columns: Columns) -> Rows:
    return Rows(lambda: iter((array,)), array, columns)


def _batch(item: Any, columns: Columns) -> Array:
    # Keras data sets may yield (inputs,) or (inputs, targets); a detector has only inputs.
    item = item[0] if isinstance(item, tuple) else item
    return _frame_to_array(item, columns) if hasattr(item, "columns") else _to_array(item)


def _iterate(batches: Any) -> Iterator[Any]:
    if not hasattr(batches, "__iter__"):
        raise InvalidInputError(f"X returned a {type(batches).__name__} when called. {_ACCEPTED}")
    return iter(batches)


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and (hasattr(X, "to_numpy") or hasattr(X, "to_pandas"))


def _frame_to_array(frame: Any, columns: Columns) -> Array:
    names = list(frame.columns)
    if not names:
        raise InvalidInputError("The data frame has no columns.")
    if repeated := sorted({str(name) for name in names if names.count(name) > 1}):
        raise InvalidInputError(
            f"The data frame has several columns named {repeated}: rename them, or pass "
            "X.to_numpy()."
        )
    columns.see(tuple(str(name) for name in names))
    # Nullable columns arrive as objects; `None` and NA in them become NaN, text does not convert.
    converted, text = [], []
    for name in names:
        try:
            converted.append(_real(np.asarray(frame[name].to_numpy())))
        except (TypeError, ValueError):
            text.append(str(name))
    if text:
        raise InvalidInputError(
            f"The data frame's columns {text} do not hold numbers. Encode or drop them, for "
            f"example with sklearn.preprocessing.OneHotEncoder."
        )
    return np.column_stack(converted)


def _real(values: Array) -> Array:
    if values.dtype == object:
        values = np.array([np.nan if _is_missing(v) else v for v in values])
    if values.dtype.kind not in "biuf" or values.ndim != 1:
        raise TypeError(f"{values.dtype} values of shape {values.shape[1:]}")
    return values.astype(np.float32) if values.dtype.kind == "b" else values


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType"


def _to_array(X: Any) -> Array:
    if isinstance(X, np.ma.MaskedArray) and X.dtype.kind in "biuf":
        # `asarray` would bring back what the mask hides.
        X = np.ma.filled(X.astype(np.result_type(X.dtype, np.float32)), np.nan)
    try:
        array = np.asarray(X)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"X, a {type(X).__name__}, is not an array of numbers ({error}). {_ACCEPTED}"
        ) from error
    if array.dtype.kind == "b":
        array = array.astype(np.float32)
    if array.dtype.kind not in "iuf":
        raise InvalidInputError(f"X holds {array.dtype} values, not real numbers. {_ACCEPTED}")
    if array.ndim == 0:
        raise InvalidInputError(f"X is a single number. {_ACCEPTED}")
    return array
