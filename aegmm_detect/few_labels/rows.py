"""Rows of a small training: read into memory, checked, split."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.input_checks import (
    check_shape,
    non_finite_columns,
    non_finite_rows,
    refuse_non_finite,
)
from aegmm_detect.inputs import Rows, as_rows
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.training.scaling import normalizer_fit
from aegmm_detect.types import Array, FloatArray, IntArray

_REMEDY = "Drop or impute these rows."
# A stream may have no end. With memory for more than this, a user can make an array of it.
_MOST_BYTES = 8 * 2**30


def read_rows(
    X: Any, shape: tuple[int, ...] | None = None, names: tuple[str, ...] | None = None
) -> tuple[FloatArray, tuple[str, ...] | None]:
    """All rows of `X`, at least 2 and finite, and the names of a data frame's columns.

    Parameters
    ----------
    X
        Anything that `as_rows` takes; a stream is read into memory.
    shape
        Of a row, where it is known.
    names
        Of the columns that data frames must have, where they are known.

    Raises
    ------
    InvalidInputError
        Other columns or shapes, too few rows, rows with NaN or infinity, or a stream of more than
        8 GiB.
    """
    rows = as_rows(X, names)
    batches = list(_bounded(rows))
    if not batches:
        raise InvalidInputError("X yields no batch: pass at least 2 rows.")
    for batch in batches:
        # Rows of an unknown shape are those of the first batch, but never a single row.
        check_shape(batch, shape or batches[0].shape[1:] or (1,))
    array = np.concatenate(batches) if len(batches) > 1 else batches[0]
    if len(array) < 2:
        raise InvalidInputError(f"X holds {len(array)} rows: pass at least 2.")
    refuse_non_finite_rows(array, rows.columns.names)
    return array, rows.columns.names


def _bounded(rows: Rows) -> Iterator[Array]:
    n_rows, n_bytes = 0, 0
    for batch in rows.read():
        n_rows, n_bytes = n_rows + len(batch), n_bytes + batch.nbytes
        if rows.array is None and n_bytes > _MOST_BYTES:
            raise InvalidInputError(
                f"X has yielded {n_rows:,} rows, more than {_MOST_BYTES / 2**30:g} GiB, but this "
                "training keeps all rows in memory: end the stream after one pass, take a sample "
                "of it, or pass an array."
            )
        yield batch


def refuse_non_finite_rows(
    batch: FloatArray, names: tuple[str, ...] | None, first_row: int = 0
) -> None:
    """Raise `InvalidInputError` that names rows with NaN or infinity, counted from `first_row`."""
    bad = non_finite_rows(batch)
    refuse_non_finite(bad + first_row, "X", _REMEDY, non_finite_columns(batch[bad], names))


def standard_scaling(array: FloatArray) -> Normalizer:
    """Zero mean and unit variance of the rows (N, ...)."""
    fit = normalizer_fit("standard")
    fit.update(array)
    return fit.finish(array.shape[1:])


def held_out(
    n_rows: int, share: float, seed: int | None, classes: Array | None = None
) -> tuple[IntArray, IntArray]:
    """Indices of the rows to train on, and of those to validate on, drawn at random.

    Parameters
    ----------
    n_rows
        Number of rows.
    share
        Of the rows, to validate on; 0 for none. With classes, at least one row per class is held
        out.
    seed
        Of the draw.
    classes
        Number of each row's class (N,), for a stratified draw. If a class has a single row, it is
        one to train on.

    Raises
    ------
    ConfigurationError
        Too few rows remain on one side.
    """
    everything = np.arange(n_rows)
    if not share:
        return everything, everything[:0]
    pool, labels, least = everything, None, 1
    if classes is not None:
        pool = np.flatnonzero(np.bincount(classes)[classes] > 1)
        labels = classes[pool]
        least = max(1, len(np.unique(labels)))
    n_held_out = max(math.ceil(share * n_rows), least)
    if len(pool) - n_held_out < least:
        what = "" if classes is None else " that are not the only ones of their class"
        raise ConfigurationError(
            f"validation_split={share} of {n_rows} rows holds {n_held_out} out of the {len(pool)}"
            f"{what}, and at least {least} must remain to train on: pass more rows, a smaller "
            "share, or validation_split=0 and patience=None."
        )
    train, validation = train_test_split(
        pool, test_size=n_held_out, random_state=seed, stratify=labels
    )
    return np.sort(np.concatenate([train, np.setdiff1d(everything, pool)])), np.sort(validation)
