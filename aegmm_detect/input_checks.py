"""Checks of rows and labels: shapes, column names, values.

Every error says what was passed, what is expected and what to do.
"""

import itertools
import math
from collections.abc import Sequence, Sized
from typing import Any

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.listing import MOST, first_few, some_of
from aegmm_detect.types import Array, IntArray

# Labels of rows.
INLIER, OUTLIER, UNLABELLED = 0, 1, -1


def check_shape(batch: Array, shape: tuple[int, ...], name: str = "X") -> None:
    """Raise unless each row of `batch` has the shape `shape`.

    Raises
    ------
    InvalidInputError
        The shapes differ; the message names the user's array and both shapes.
    """
    if batch.shape[1:] == shape:
        return
    raise InvalidInputError(_shape_problem(batch.shape, shape, name))


def _shape_problem(got: tuple[int, ...], shape: tuple[int, ...], name: str) -> str:
    """Message about a batch of the wrong shape `got`, and how to fix it."""
    holder = name if name.isidentifier() else "batch"
    if holder != name and (got == shape or len(got) == 1):
        return (
            f"{name} has shape {got}: one row must still be a batch. Batch single rows of a "
            "stream, for example with dataset.batch(256)."
        )
    if got == shape:
        return (
            f"{name} has shape {got}: one row must still be a batch. Use {holder}[np.newaxis] for "
            f"rows of shape {shape}."
        )
    if shape[-1:] == (1,) and len(shape) > 1 and got == shape[:-1]:
        return (
            f"{name} has shape {got}: one row must still be a batch, and its last axis is "
            f"missing. Use {holder}[np.newaxis, ..., np.newaxis] for rows of shape {shape}."
        )
    if len(got) == 1:
        return (
            f"{name} has shape {got}, but a batch of rows has shape (N, "
            f"{', '.join(map(str, shape))}). Reshape a column with {holder}.reshape(-1, 1); one "
            f"row is {holder}[np.newaxis]."
        )
    if len(shape) == 1 and len(got) == 2:
        return (
            f"{name} has {got[1]} features per row, but the detector's nets take {shape[0]}. "
            "Select the columns that fit saw, in that order, or make a detector for "
            f"n_features={got[1]}."
        )
    problem = f"{name} has rows of shape {got[1:]}, but the detector's nets take {shape}."
    return f"{problem} {_other_shape(got[1:], shape, holder)}"


def _other_shape(row: tuple[int, ...], shape: tuple[int, ...], holder: str) -> str:
    """Advice on how to turn rows of shape `row` into rows of shape `shape`."""
    if (*row, 1) == shape:
        return f"Add the missing axis: {holder}[..., np.newaxis]."
    if row == (*shape, 1):
        return f"Drop the last axis: {holder}[..., 0]."
    if len(row) > 2 and (*row[1:], row[0]) == shape:
        return f"Put the channels last: np.moveaxis({holder}, 1, -1)."
    # If the number of axes is the same, a reshape would mix up the axes.
    if len(row) != len(shape) and math.prod(row) == math.prod(shape):
        return f"Use {holder}.reshape(-1, {', '.join(map(str, shape))})."
    return "Pass rows of the shape that fit saw, or make a detector with nets for these."


def check_names(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """Raise unless a data frame has the expected column names, in the same order.

    Raises
    ------
    InvalidInputError
        Columns are missing, unexpected or in another order; the message names them.
    """
    if names == expected:
        return
    seen, known = set(names), set(expected)
    missing = [name for name in expected if name not in seen]
    unexpected = [name for name in names if name not in known]
    differences = {"missing": missing, "unexpected": unexpected}
    what = ", ".join(f"{kind} {some_of(those)}" for kind, those in differences.items() if those)
    what = what or "the same columns in another order"
    order = f"X[{list(expected)}]"
    if len(expected) > MOST:
        order = f"X[train.columns], with the frame of fit as train: {some_of(expected)}"
    raise InvalidInputError(
        f"The data frame's columns differ from those seen by fit: {what}. "
        f"Select them in the order of fit: {order}."
    )


def non_finite_rows(batch: Array) -> Array:
    """Indices of rows that hold NaN, infinity, or more than float32 can hold."""
    with np.errstate(all="ignore"):
        # Fast path without a temporary array. If only the sum overflows, the slow path decides.
        if np.isfinite(np.sum(batch, dtype=np.float32)):
            return np.empty(0, dtype=np.int64)
        finite = np.isfinite(batch.astype(np.float32, copy=False))
    return np.flatnonzero(~finite.reshape(len(batch), -1).all(axis=1))


def non_finite_columns(batch: Array, names: Sequence[str] | None) -> tuple[str, ...]:
    """Names of columns that hold NaN, infinity, or more than float32 can hold."""
    if names is None or not len(batch):  # an empty batch may have any shape
        return ()
    with np.errstate(over="ignore"):
        bad = np.any(~np.isfinite(batch.astype(np.float32, copy=False)), axis=0)
    return tuple(itertools.compress(names, bad))


def refuse_non_finite(rows: Array, name: str, remedy: str, columns: Sequence[str] = ()) -> None:
    """Raise an error about non-finite `rows`; do nothing if there are none.

    Parameters
    ----------
    rows
        Indices of these rows.
    name
        Name of the user's array.
    remedy
        Advice, for the message.
    columns
        Names of the columns concerned, if they are known.

    Raises
    ------
    InvalidInputError
        There are such rows; the message has the first indices and the columns.
    """
    if len(rows):
        what = f"row{'s' if len(rows) > 1 else ''} (first: {first_few(rows)})"
        if columns:
            what += f", column{'s' if len(columns) > 1 else ''} {first_few(columns)}"
        raise InvalidInputError(
            f"{name} holds NaN, infinity or values beyond float32 in {len(rows)} {what}. {remedy}"
        )


def check_labels(y: Any) -> IntArray:
    """Check labels and return them as int64 (N,).

    Raises
    ------
    InvalidInputError
        `y` has another shape, or holds labels other than 0, 1 and -1.
    """
    labels: Array = np.asarray(y)
    fits = "pass one label per row: 0 inlier, 1 outlier, -1 unlabelled"
    if labels.ndim != 1:
        raise InvalidInputError(f"y has shape {labels.shape}: {fits}.")
    if labels.dtype.kind not in "biuf":
        raise InvalidInputError(f"y holds {labels.dtype} values: {fits}.")
    foreign = labels[~np.isin(labels, (INLIER, OUTLIER, UNLABELLED))]
    if len(foreign):
        raise InvalidInputError(f"y holds labels such as {foreign[0]}: {fits}.")
    return labels.astype(np.int64)


def check_label_count(labels: Sized, n_rows: int) -> None:
    """Raise unless there are as many labels as rows.

    Raises
    ------
    InvalidInputError
        The numbers differ; the message has both.
    """
    if len(labels) != n_rows:
        raise InvalidInputError(
            f"y has {len(labels)} labels, but X has {n_rows} rows: pass one label per row."
        )
