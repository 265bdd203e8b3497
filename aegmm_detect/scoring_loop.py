"""Score the user's rows: the checks and the loop that all detectors use."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from aegmm_detect.configs.rows import NanPolicy
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.input_checks import check_shape, non_finite_columns, refuse_non_finite
from aegmm_detect.inputs import Rows, as_rows
from aegmm_detect.types import BoolArray, FloatArray

# Rows per pass: enough to give every core several pieces of work before all wait for the last one.
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
        Function: checked rows (N, ...), N >= 1 -> float32 scores, (N,), or (N, C) for several per
        row. Rows that are not finite, and no others, must score NaN.
    row_shape
        Shape of one row at `fit`.
    names
        Column names at `fit`, if they are known.
    nan_policy
        With 'raise', rows that are not finite raise an error.
    batch_size
        Rows per call of `score_batch`, if they are in memory.

    Returns
    -------
    Scores, (N,) or (N, C), float32; (0,) if there are no rows.

    Raises
    ------
    ConfigurationError
        `batch_size` is not a positive whole number.
    InvalidInputError
        Columns or shapes differ from those at `fit`, or rows are not finite and `nan_policy` is
        'raise'.
    """
    rows = as_rows(X, names)
    parts = [score_batch(batch) for batch in checked_batches(rows, row_shape, batch_size)]
    scores = np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)
    if nan_policy == "raise":
        # `score_batch` returns NaN for rows that are not finite, and only for these.
        unknown = np.isnan(scores)
        refuse_flagged(unknown if scores.ndim == 1 else np.any(unknown, axis=1), rows)
    return scores


def checked_batches(
    rows: Rows, row_shape: tuple[int, ...], batch_size: Any
) -> Iterator[FloatArray]:
    """Yield batches (N, *row_shape), N >= 1; raise `InvalidInputError` for other row shapes."""
    name = "A batch of X" if rows.array is None else "X"
    for batch in rows.batches(_positive(batch_size)):
        check_shape(batch, row_shape, name)
        if len(batch):
            yield batch


def refuse_flagged(bad: BoolArray, rows: Rows) -> None:
    """Raise `InvalidInputError` if any of `rows` is `bad` (N,), that is, not finite."""
    indices = np.flatnonzero(bad)
    # The rows of a stream are no longer available, so the error does not name their columns.
    array, names = rows.array, rows.columns.names
    refuse_non_finite(
        indices,
        "X",
        "Drop or impute these rows, or make the detector with nan_policy='flag' to have them "
        "called outliers.",
        () if array is None else non_finite_columns(array[indices], names),
    )


def _positive(batch_size: Any) -> int:
    # Accept whole floats, too: alibi-detect's default is 1e10.
    number = isinstance(batch_size, (int, float, np.number)) and not isinstance(batch_size, bool)
    if not number or not float(batch_size).is_integer() or batch_size < 1:
        raise ConfigurationError(f"batch_size={batch_size!r}: pass a whole number of rows from 1.")
    return int(batch_size)
