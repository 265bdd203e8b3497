"""Prepare the user's rows for training: check, scale and split them."""

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from aegmm_detect.configs.rows import NanPolicy, Normalize
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.input_checks import (
    check_label_count,
    check_shape,
    non_finite_columns,
    non_finite_rows,
    refuse_non_finite,
)
from aegmm_detect.inputs import Rows
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.row_sketch import RowSketch, RowSketchFit
from aegmm_detect.sizes import ROWS_AT_ONCE
from aegmm_detect.training.data import ArrayRows, StreamRows
from aegmm_detect.training.scaling import normalizer_fit
from aegmm_detect.types import FloatArray, IntArray

logger = logging.getLogger(__name__)

_NAN_REMEDY = (
    "Drop or impute these rows, or make the detector with nan_policy='flag', which leaves them "
    "out of training and calls them outliers later."
)


@dataclasses.dataclass(frozen=True)
class TrainingRows:
    """Prepared rows of a fit, with their scaling and shape."""

    train: ArrayRows | StreamRows
    validation: ArrayRows | None
    normalizer: Normalizer | None
    shape: tuple[int, ...]  # of one row
    trained_on: RowSketch | None = None  # sketch of the rows before scaling

    @property
    def normal_rows(self) -> ArrayRows | StreamRows:
        """Training rows without labelled anomalies. Densities are fitted to these."""
        if isinstance(self.train, StreamRows) or self.train.labels is None:
            return self.train
        return ArrayRows(self.train.array[self.train.labels != 1])


def prepare(
    rows: Rows,
    shape: tuple[int, ...] | None,
    normalize: Normalize | None,
    nan_policy: NanPolicy,
    validation_split: float,
    seed: int | None,
    trained_on: RowSketch | None = None,
    labels: IntArray | None = None,
) -> TrainingRows:
    """Check every row, fit the scaling to the training rows only, and scale all rows.

    Parameters
    ----------
    rows
        The user's rows.
    shape
        Shape of one row that the nets take; None if not known.
    normalize, nan_policy
        Settings of the detector.
    validation_split
        Share of rows to hold out of training and scaling, drawn at random.
    seed
        Seed of that draw.
    trained_on
        Sketch of earlier training rows, if training continues from existing weights.
    labels
        Labels of the rows, (N,). Rows with label 1, anomalies, are not used for the scaling.
        Default: none.

    Raises
    ------
    InvalidInputError
        The shape is wrong, there are too few rows, or rows hold NaN or infinity. For the latter,
        the message has row numbers, and columns if their names are known.
    ConfigurationError
        The rows are a stream, and `labels` or `validation_split` needs them in memory.
    """
    if rows.array is None:
        if labels is not None:
            raise ConfigurationError(
                "y= needs all rows in memory: pass an array, or leave the labels out for a stream."
            )
        return _prepare_stream(
            rows, shape, normalize, nan_policy, validation_split, RowSketchFit(trained_on)
        )
    array = rows.array
    if array.ndim < 2:
        check_shape(array, shape or (1,))
    if shape is not None:
        check_shape(array, shape)
    if labels is not None:
        check_label_count(labels, len(array))
    keep = _finite_rows(array, rows.columns.names, nan_policy)
    held_out = np.empty(0, dtype=np.int64)
    if validation_split:
        n_held_out = round(len(keep) * validation_split)
        if not 2 <= n_held_out <= len(keep) - 2:
            raise InvalidInputError(
                f"validation_split={validation_split} of {len(keep)} rows leaves {n_held_out} for "
                "validation, and a mixture needs 2 on either side: pass more rows or another share."
            )
        mixed = np.random.default_rng(seed).permutation(keep)
        held_out, keep = np.sort(mixed[:n_held_out]), np.sort(mixed[n_held_out:])
    normal = keep if labels is None else keep[labels[keep] != 1]
    _check_enough(len(normal))
    fit = None if normalize is None else normalizer_fit(normalize)
    sketch = RowSketchFit(trained_on)
    for chunk in _chunks(array, normal):
        sketch.update(chunk)
        if fit is not None:
            fit.update(chunk)
    normalizer = None if fit is None else fit.finish(array.shape[1:])

    def chosen(which: Any) -> ArrayRows:
        own = None if labels is None else labels[which]
        return ArrayRows(_scaled(array, which, normalizer), own)

    return TrainingRows(
        chosen(keep),
        chosen(held_out) if len(held_out) else None,
        normalizer,
        array.shape[1:],
        sketch.finish(),
    )


def _prepare_stream(
    rows: Rows,
    shape: tuple[int, ...] | None,
    normalize: Normalize | None,
    nan_policy: NanPolicy,
    validation_split: float,
    trained_on: RowSketchFit,
) -> TrainingRows:
    if validation_split:
        raise ConfigurationError(
            "validation_split needs all rows in memory: pass an array, or leave it out for a "
            "stream."
        )
    fit = None if normalize is None else normalizer_fit(normalize)
    n_rows, seen = 0, 0
    for batch in rows.read():
        if batch.ndim < 2:
            raise InvalidInputError(
                f"X yields batches of shape {batch.shape}; they must be (N, ...). Batch single "
                "rows first, for example with dataset.batch(256)."
            )
        shape = batch.shape[1:] if shape is None else shape
        check_shape(batch, shape, "A batch of X")
        keep = _finite_rows(batch, rows.columns.names, nan_policy, first_row=seen)
        seen += len(batch)
        n_rows += len(keep)
        trained_on.update(batch[keep])
        if fit is not None and len(keep):
            fit.update(batch[keep])
    _check_enough(n_rows)
    assert shape is not None  # there were rows
    normalizer = None if fit is None else fit.finish(shape)

    def read() -> Iterator[FloatArray]:
        n_read = 0
        for batch in rows.read():
            check_shape(batch, shape, "A batch of X")
            if nan_policy == "flag":
                batch = np.delete(batch, non_finite_rows(batch), axis=0)
            n_read += len(batch)
            if n_read > n_rows:
                break  # the stream may be endless
            yield _scaled(batch, np.arange(len(batch)), normalizer)
        if n_read != n_rows:
            raise InvalidInputError(
                f"X gave {n_rows} rows when read first and {n_read}"
                f"{' or more' if n_read > n_rows else ''} in a later pass. A callable must return "
                "a fresh iterator over the same rows each time: lambda: my_batches()."
            )

    return TrainingRows(
        StreamRows(read, n_rows, shape), None, normalizer, shape, trained_on.finish()
    )


def _finite_rows(
    array: Any, names: tuple[str, ...] | None, nan_policy: NanPolicy, first_row: int = 0
) -> Any:
    """Indices of the rows that can be used."""
    starts = range(0, max(len(array), 1), ROWS_AT_ONCE)
    indices = np.concatenate([non_finite_rows(array[i : i + ROWS_AT_ONCE]) + i for i in starts])
    if len(indices) and nan_policy == "flag":
        logger.warning("%d rows hold NaN or infinity and are left out of training.", len(indices))
    else:
        columns = non_finite_columns(array[indices], names)
        refuse_non_finite(indices + first_row, "X", _NAN_REMEDY, columns)
    return np.delete(np.arange(len(array)), indices)


def _chunks(array: Any, indices: Any) -> Iterator[Any]:
    starts = range(0, len(indices), ROWS_AT_ONCE)
    if len(indices) == len(array):
        # Slices are views; indexing with `indices` would copy.
        return (array[i : i + ROWS_AT_ONCE] for i in starts)
    return (array[indices[i : i + ROWS_AT_ONCE]] for i in starts)


def _scaled(array: Any, indices: Any, normalizer: Normalizer | None) -> FloatArray:
    """The rows at `indices` as contiguous float32, scaled in float64."""
    whole = len(indices) == len(array)
    if normalizer is None:
        return np.ascontiguousarray(array if whole else array[indices], dtype=np.float32)
    out = np.empty((len(indices), *array.shape[1:]), dtype=np.float32)
    for i, chunk in enumerate(_chunks(array, indices)):
        out[i * ROWS_AT_ONCE : i * ROWS_AT_ONCE + len(chunk)] = normalizer.transform(chunk)
    return out


def _check_enough(n_rows: int) -> None:
    if n_rows < 2:
        raise InvalidInputError(
            f"X holds {n_rows} usable row{'' if n_rows == 1 else 's'}; a covariance needs at least "
            "2, and a detector hundreds."
        )
