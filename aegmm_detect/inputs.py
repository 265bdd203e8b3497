"""From whatever the user holds to batches of real-valued rows that can be read again.

Arrays, lists, data frames and tensors become one array; a `tf.data.Dataset`, a Keras `PyDataset`
or a callable that returns an iterator stays a stream, read batch by batch. TensorFlow objects are
recognised by what they can do, so that this module loads without TensorFlow.
"""

import dataclasses
import itertools
import logging
import reprlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.input_checks import check_names
from aegmm_detect.types import Array

logger = logging.getLogger(__name__)

_ACCEPTED = (
    "Pass a NumPy array, a data frame, a tensor, a tf.data.Dataset, a keras PyDataset, or a "
    "function without arguments that returns an iterator of batches."
)
# Values of an array of objects that are looked at for one that an error can show.
_LOOKED_AT = 10_000


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
            f"X is a {type(X).__name__}, which can be read only once. Pass the function that makes "
            "it: lambda: my_batches()."
        )
    if hasattr(X, "cardinality") and int(X.cardinality()) == -1:
        raise InvalidInputError(
            "X is a data set without an end. Leave .repeat() out: fit makes its own passes, and "
            "scoring ends with the last row."
        )
    to_batch = _ToBatch(columns)
    if hasattr(X, "element_spec"):
        return Rows(lambda: map(to_batch, X), None, columns)
    if callable(X) and not hasattr(X, "__array__"):
        return Rows(lambda: map(to_batch, _iterate(X())), None, columns)
    if hasattr(X, "__getitem__") and hasattr(X, "__len__") and hasattr(X, "on_epoch_end"):
        return Rows(lambda: (to_batch(X[i]) for i in range(len(X))), None, columns)
    return _in_memory(_to_array(X), columns)


def _in_memory(array: Array, columns: Columns) -> Rows:
    return Rows(lambda: iter((array,)), array, columns)


class _ToBatch:
    """From what a stream yields to an array."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._said = False

    def __call__(self, item: Any) -> Array:
        # Keras data sets may yield (inputs,) or (inputs, targets); a detector has only inputs.
        if isinstance(item, tuple):
            # Once for all passes: a fit makes many.
            if len(item) > 1 and not self._said:
                self._said = True
                logger.warning(
                    "X yields tuples of %d. The first of each is taken as rows, the rest (labels) "
                    "is ignored: pass only the rows that you take for normal.",
                    len(item),
                )
            item = item[0] if item else None
        if hasattr(item, "columns"):
            return _frame_to_array(item, self._columns)
        return _to_array(item)


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
            f"X, a {kind}, is not an array of numbers ({error}). {_ACCEPTED}"
        ) from error
    if array.dtype.kind == "b":
        array = array.astype(np.float32)
    if array.ndim == 0:
        what = "single number" if array.dtype.kind in "iufc" else kind
        raise InvalidInputError(f"X is a {what}. {_ACCEPTED}")
    if array.dtype.kind in "OSUT":
        itself = "X" if isinstance(X, np.ndarray) else "np.asarray(X)"
        raise InvalidInputError(
            f"X holds {array.dtype} values{_example(array)}, not real numbers: convert it with "
            f"{itself}.astype(float), which makes None NaN. Encode text that is no number first."
        )
    if array.dtype.kind not in "iuf":
        raise InvalidInputError(f"X holds {array.dtype} values, not real numbers. {_ACCEPTED}")
    return array


def _example(array: Array) -> str:
    """A value that is no number, if there is one soon."""
    for value in itertools.islice(array.flat, _LOOKED_AT):
        if not isinstance(value, (int, float, np.number)):
            text = str(value) if isinstance(value, np.str_) else value
            return f", such as {reprlib.repr(text)}"
    return ""
