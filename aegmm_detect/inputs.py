"""From whatever the user holds to batches of real-valued rows that can be read again.

Arrays, lists, data frames and tensors become one array; a `tf.data.Dataset`, a Keras `PyDataset`
or a callable that returns an iterator stays a stream, read batch by batch. TensorFlow objects are
recognised by what they can do, so that this module loads without TensorFlow.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from typing import Any

from aegmm_detect.conversion import ACCEPTED, as_frame, frame_to_array, to_array
from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.input_checks import check_names
from aegmm_detect.types import Array

logger = logging.getLogger(__name__)

# Rows after which a pass whose end nobody knows is worth a warning; and again at each doubling.
_MANY_ROWS = 10_000_000


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
        raise InvalidInputError(f"X is a {type(X).__name__}. {ACCEPTED}")
    if (frame := as_frame(X)) is not None:
        return _in_memory(frame_to_array(frame, columns.see), columns)
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
    to_batch, count = _ToBatch(columns), _Count()
    if hasattr(X, "element_spec"):
        return Rows(lambda: count(map(to_batch, X)), None, columns)
    if callable(X) and not hasattr(X, "__array__"):
        return Rows(lambda: count(map(to_batch, _iterate(X()))), None, columns)
    if hasattr(X, "__getitem__") and hasattr(X, "__len__") and hasattr(X, "on_epoch_end"):
        return Rows(lambda: (to_batch(X[i]) for i in range(len(X))), None, columns)
    return _in_memory(to_array(X), columns)


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
                    "is ignored: pass only the rows that you treat as normal.",
                    len(item),
                )
            item = item[0] if item else None
        if (frame := as_frame(item)) is not None:
            return frame_to_array(frame, self._columns.see)
        return to_array(item)


class _Count:
    """Passes batches on, and says from time to time how many rows have come by without an end."""

    def __init__(self) -> None:
        self._next = _MANY_ROWS

    def __call__(self, batches: Iterator[Array]) -> Iterator[Array]:
        n_rows = 0
        for batch in batches:
            n_rows += len(batch) if batch.ndim else 1
            # Once for all passes: the first of them has shown that there is an end.
            if n_rows >= self._next:
                while self._next <= n_rows:
                    self._next *= 2
                logger.warning(
                    "%s rows of X so far, and more to come. If it has no end, such as a generator "
                    "with 'while True', stop here and end it after one pass over the rows.",
                    f"{n_rows:,}",
                )
            yield batch


def _iterate(batches: Any) -> Iterator[Any]:
    if not hasattr(batches, "__iter__"):
        raise InvalidInputError(f"X returned a {type(batches).__name__} when called. {ACCEPTED}")
    return iter(batches)
