"""From what a user passes to scores: the checks and the loop that all scorers share."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from aegmm_detect.configs.rows import NanPolicy
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.input_checks import check_shape, non_finite_columns, refuse_non_finite
from aegmm_detect.inputs import Rows, as_rows
from aegmm_detect.types import BoolArray, FloatArray

# Rows per pass: enough for every core to have several pieces of work before all wait for the last.
DEFAULT_BATCH_SIZE = 65_536


def score_rows(
    X: Any,
    score_batch: Callable[[FloatArray], FloatArray],
    row_shape: tuple[int, ...],
    names: tuple[str, ...] | None,
    nan_policy: NanPolicy,
    batch_size: int,
) -> FloatArray:
    """Scores of the rows of `X`.

    Parameters
    ----------
    X
        Anything that `as_rows` takes.
    score_batch
        Checked rows (N, ...), N >= 1 -> scores float32, (N,) or several a row, (N, C); NaN for rows
        that are not finite.
    row_shape
        Of the rows that fit.
    names
        Of the columns of data frames, where they are known.
    nan_policy
        'raise' refuses rows that are not finite.
    batch_size
        Rows per call of `score_batch`, where they are in memory.

    Returns
    -------
    Scores, (N,) or (N, C), float32; of no rows (0,).

    Raises
    ------
    ConfigurationError
        `batch_size` is no positive whole number.
    InvalidInputError
        Other columns or shapes; rows that are not finite, unless they are to be flagged.
    """
    rows = as_rows(X, names)
    parts = [score_batch(batch) for batch in checked_batches(rows, row_shape, batch_size)]
    scores = np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)
    if nan_policy == "raise":
        # `score_batch` answers NaN for such rows and for no other.
        unknown = np.isnan(scores)
        refuse_flagged(unknown if scores.ndim == 1 else np.any(unknown, axis=1), rows)
    return scores


def checked_batches(
    rows: Rows, row_shape: tuple[int, ...], batch_size: Any
) -> Iterator[FloatArray]:
    """Batches (N, *row_shape), none of them empty; `InvalidInputError` for other shapes."""
    name = "A batch of X" if rows.array is None else "X"
    for batch in rows.batches(_positive(batch_size)):
        check_shape(batch, row_shape, name)
        if len(batch):
            yield batch


def refuse_flagged(bad: BoolArray, rows: Rows) -> None:
    """Raise `InvalidInputError` if any of `rows` is `bad` (N,): not finite."""
    numbers = np.flatnonzero(bad)
    # A stream's rows have gone by.
    array, names = rows.array, rows.columns.names
    refuse_non_finite(
        numbers,
        "X",
        "Drop or impute these rows, or make the detector with nan_policy='flag' to have them "
        "called outliers.",
        () if array is None else non_finite_columns(array[numbers], names),
    )


def _positive(batch_size: Any) -> int:
    # Whole floats, too: the peer's default is 1e10.
    number = isinstance(batch_size, (int, float, np.number)) and not isinstance(batch_size, bool)
    if not number or not float(batch_size).is_integer() or batch_size < 1:
        raise ConfigurationError(f"batch_size={batch_size!r}: pass a whole number of rows from 1.")
    return int(batch_size)
