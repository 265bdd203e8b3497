"""Fit a net to targets with Keras's own loop: seeded batches, early stopping, finite losses."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from aegmm_detect.exceptions import ConfigurationError, NonFiniteLossError
from aegmm_detect.few_labels.settings import EpochsConfig
from aegmm_detect.processes import check_process
from aegmm_detect.types import Array, FloatArray, Tensor

# Rows per step of validation, which has no gradients to keep.
_VALIDATION_ROWS = 4096


class Targets(NamedTuple):
    """Rows and what the net is to return for them."""

    x: FloatArray  # (N, ...) float32
    y: Array  # (N, ...)


def fit_to_targets(
    net: keras.Model,
    train: Targets,
    validation: Targets,
    loss: str,
    config: EpochsConfig,
    *,
    metrics: Sequence[str] = (),
    epochs: int,
    patience: int | None,
    history: keras.callbacks.History,
    verbose: bool | int | str,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Compile `net` with Nadam and train it in place.

    Parameters
    ----------
    net
        Prepared rows -> outputs.
    train, validation
        Validation may have no rows.
    loss, metrics
        Keras's names.
    config
        Batch size, learning rate and seed.
    epochs
        Most of them, to be added to those that `history` has.
    patience
        Epochs without a better validation loss after which training stops. The weights are then,
        and after the last epoch, those of the best one. None: the last weights.
    history
        To which the epochs are added.
    verbose, callbacks
        Keras's own.

    Raises
    ------
    NonFiniteLossError
        Training met NaN or infinity.
    ForkedProcessError
        TensorFlow cannot train in this process.
    ConfigurationError
        Keras cannot add up the net's penalties, because its own precision is another one.
    """
    check_process()
    if keras.config.floatx() != "float32" and net.losses:
        raise ConfigurationError(
            f"keras.config.floatx() is {keras.config.floatx()!r}, and Keras cannot add penalties "
            "of float32 layers (l2=, or regularizers of your encoder) to its loss then: call "
            "keras.config.set_floatx('float32') before, or leave the penalties out (l2=0)."
        )
    stopping = [
        keras.callbacks.EarlyStopping("val_loss", patience=count, restore_best_weights=True)
        for count in ([] if patience is None else [patience])
    ]
    # XLA takes seconds to compile, which few rows do not earn back.
    net.compile(
        keras.optimizers.Nadam(config.learning_rate),
        loss=loss,
        metrics=list(metrics),
        jit_compile=False,
    )
    done = len(history.history.get("loss", ()))
    net.fit(
        _batches(train, config.batch_size, config.seed, shuffle=True),
        validation_data=_batches(validation, _VALIDATION_ROWS) if len(validation.x) else None,
        initial_epoch=done,
        epochs=done + epochs,
        shuffle=False,  # the batches are
        verbose=verbose,
        callbacks=[*stopping, *callbacks, history],
    )
    losses = history.history["loss"]
    history.epoch = list(range(len(losses)))
    if not np.isfinite(losses).all():
        raise NonFiniteLossError(
            "Training met NaN or infinity. Lower learning_rate, or scale the rows."
        )


def _batches(
    rows: Targets, size: int, seed: int | None = None, shuffle: bool = False
) -> tf.data.Dataset:
    """One pass over all rows in batches, in a new order every time."""
    with tf.device("CPU"):
        arrays = tuple(map(tf.constant, rows))
    numbers = tf.data.Dataset.range(len(rows.x))
    if shuffle:
        numbers = numbers.shuffle(len(rows.x), seed=seed)

    @tf.autograph.experimental.do_not_convert  # nothing to convert, and Python 3.13 warns of it
    def gather(batch: Tensor) -> tuple[Any, ...]:
        return tuple(tf.gather(array, batch) for array in arrays)

    return numbers.batch(size).map(gather).prefetch(2)
