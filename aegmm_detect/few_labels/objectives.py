"""What pre-training and classifiers minimise, and validation that counts every row once."""

from typing import Any

import keras
import numpy as np
from keras import ops

from aegmm_detect.training.data import ArrayRows
from aegmm_detect.training.objective import Evaluated, Objective
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.types import FloatArray, IntArray, Tensor

# Label of the copies that fill up the last batch of the validation.
_PADDING = -1


def training_rows(
    x: tuple[FloatArray, FloatArray],
    labels: tuple[IntArray, IntArray] | None,
    batch_size: int,
) -> TrainingRows:
    """Rows to train on and rows to validate on, as `fit` takes them.

    `fit` fills up the last batch with rows that it has seen. Here these are copies whose label says
    that they do not count, so that the validation loss is that of the validation rows.

    Parameters
    ----------
    x
        Scaled training rows and validation rows. There may be no validation rows.
    labels
        Number of each row's class, from 0 on. None for rows without classes.
    batch_size
        Of the fit.
    """
    if labels is None:
        labels = (np.zeros(len(x[0]), np.int32), np.zeros(len(x[1]), np.int32))
    train, validation = (ArrayRows(*part) for part in zip(x, labels, strict=True))
    return TrainingRows(
        train,
        _filled_up(validation, batch_size) if validation.n_rows else None,
        None,
        train.shape,
    )


def cross_entropy(rows: TrainingRows) -> Objective:
    """Mean cross-entropy of the labels under the net's probabilities (N, C), and the accuracy."""
    columns = ("loss", "accuracy")
    return Objective(columns, _cross_entropy, _cross_entropy, (_batch_share(rows),))


def squared_error(rows: TrainingRows) -> Objective:
    """Mean squared difference between the rows and what the net makes of them."""
    return Objective(("loss",), _squared_error, _squared_error, (_batch_share(rows),))


def _cross_entropy(
    net: keras.Model, arrays: Any, batch: Any, progress: Tensor | float, training: bool
) -> Evaluated:
    x, y = batch
    probabilities = net(x, training=training)
    # Padding needs the number of some class.
    losses = keras.losses.sparse_categorical_crossentropy(ops.maximum(y, 0), probabilities)
    hits = ops.cast(ops.equal(ops.argmax(probabilities, axis=-1), ops.cast(y, "int64")), "float32")
    values = {"loss": losses, "accuracy": hits}
    return Evaluated({name: _mean(v, y, arrays, training) for name, v in values.items()})


def _squared_error(
    net: keras.Model, arrays: Any, batch: Any, progress: Tensor | float, training: bool
) -> Evaluated:
    x, y = batch
    errors = ops.mean(ops.square(x - ops.cast(net(x, training=training), "float32")), axis=-1)
    return Evaluated({"loss": _mean(errors, y, arrays, training)})


def _mean(values: Tensor, labels: Tensor, arrays: Any, training: bool) -> Tensor:
    """Of the values that count. A mean over the batches is then one over all rows."""
    if training:  # without padding
        return ops.mean(values)
    (share,) = arrays
    return ops.mean(ops.where(labels == _PADDING, 0.0, values)) / share


def _batch_share(rows: TrainingRows) -> Any:
    """Share of the validation rows that count."""
    validation = rows.validation
    counted = 1.0 if validation is None else np.mean(validation.labels != _PADDING)
    return np.float32(counted)


def _filled_up(rows: ArrayRows, batch_size: int) -> ArrayRows:
    """Whole batches."""
    assert rows.labels is not None  # of all rows here
    missing = -rows.n_rows % min(batch_size, rows.n_rows)
    return ArrayRows(
        np.concatenate([rows.array, np.repeat(rows.array[:1], missing, axis=0)]),
        np.concatenate([rows.labels, np.full(missing, _PADDING, rows.labels.dtype)]),
    )
