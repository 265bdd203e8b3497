"""Train one net on prepared rows: the bridge from settings to `Model.fit`."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.exceptions import NonFiniteLossError
from aegmm_detect.numerics.objective import Objective
from aegmm_detect.programs.tracing import Mode
from aegmm_detect.training.checkpoint import Checkpoint
from aegmm_detect.training.data import (
    ArrayRows,
    Blocks,
    StreamRows,
    array_blocks,
    plan,
    steps_that_fit,
    stream_blocks,
)
from aegmm_detect.training.fit import Trainer
from aegmm_detect.training.length import Length
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.training.seeding import seed_random_layers

# XLA takes 3-6 s to compile and then saves 2-4 ms a step on a CPU: below this it does not pay. On
# a GPU, runs of any length are shorter: 3 million rows a second in place of 87 thousand.
XLA_PAYS_FROM_STEPS = 2000


def fit_network(
    net: keras.Model,
    rows: TrainingRows,
    objective: Objective,
    optimizer: keras.optimizers.Optimizer,
    config: FitConfig,
    length: Length,
    *,
    eager: bool = False,
    verbose: bool | int | str = False,
    log_metric: tuple[str, keras.metrics.Metric] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    checkpoint: Checkpoint | None = None,
) -> keras.callbacks.History:
    """Train `net` in place.

    Parameters
    ----------
    net
        Prepared rows -> (x_recon, z, gamma).
    rows
        What `prepare` returned.
    objective
        What is minimised.
    optimizer
        Of this fit alone.
    config
        Batch size, seed, compilation.
    length
        What `length_of_fit` says of `config` and the training rows.
    eager
        Run the step uncompiled, for functions that no graph can hold.
    verbose, callbacks
        Keras's own.
    log_metric
        (column, metric of (x, x_recon)) for the training log.
    checkpoint
        Where the fit goes on, and what it writes at the end of every epoch.

    Returns
    -------
    Keras's `History`.

    Raises
    ------
    NonFiniteLossError
        The weights are then those before the failing block of steps.
    Exception
        Whatever a stream of rows raises, as it raised it.
    """
    if config.seed is not None:
        seed_random_layers(net, config.seed)
    first_epoch = 0
    if checkpoint is not None:
        first_epoch = length.epochs if checkpoint.stopped else checkpoint.epochs
    blocks = _training_blocks(rows.train, config, length, first_epoch)
    cut = blocks.plan
    validation = None
    if rows.validation is not None:
        # Keras counts validation in the training's blocks, so they must be as many.
        val_cut = plan(rows.validation.n_rows, config.batch_size, cut.steps_per_block)
        validation = array_blocks(rows.validation, val_cut, None, shuffle=False)
    mode = _mode(eager, config, length.total_steps)
    trainer = Trainer(net, objective, log_metric, mode, length.total_steps)
    optimizer.build(net.trainable_variables)
    trainer.compile(
        optimizer=optimizer, steps_per_execution=cut.steps_per_block, auto_scale_loss=False
    )
    listening = list(callbacks or [])
    if checkpoint is not None:
        listening = checkpoint.take_up(trainer, listening)
        if checkpoint.finished:
            return trainer.history
    n_blocks = (length.epochs - first_epoch) * math.ceil(length.steps / cut.steps_per_block)
    train = functools.partial(
        trainer.fit,
        # No batch more than needed: a stream's source may not like a pass that nobody reads.
        blocks.dataset.take(n_blocks).prefetch(1),
        epochs=length.epochs,
        initial_epoch=first_epoch,
        steps_per_epoch=length.steps,
        shuffle=False,  # the blocks are
        validation_data=None if validation is None else validation.dataset.prefetch(1),
        validation_steps=None if validation is None else validation.plan.steps,
        verbose=int(verbose) if isinstance(verbose, bool) else verbose,
        callbacks=listening,
    )
    try:
        return blocks.source.run(train)
    except NonFiniteLossError as error:
        if checkpoint is not None:
            error.add_note(checkpoint.after_failure)
        raise


def learning_rate(config: FitConfig, length: Length) -> Any:
    """Of the default optimizer: the number that `config` holds, or its decay over the whole run."""
    if config.learning_rate_decay is None:
        return config.learning_rate
    return keras.optimizers.schedules.CosineDecay(config.learning_rate, length.total_steps)


def _training_blocks(
    rows: ArrayRows | StreamRows, config: FitConfig, length: Length, first_epoch: int
) -> Blocks:
    limit = min(config.steps_per_execution, steps_that_fit(rows, config.batch_size))
    # An epoch that is one pass fills its last batch from that pass, and not from a second one.
    steps = None if config.n_steps is None else length.steps
    cut = plan(rows.n_rows, config.batch_size, limit, steps)
    if isinstance(rows, ArrayRows):
        return array_blocks(rows, cut, config.seed, first_epoch=first_epoch)
    return stream_blocks(rows, cut, config.seed, first_epoch)


def _mode(eager: bool, config: FitConfig, n_steps: int) -> Mode:
    if eager:
        return "eager"
    if config.jit_compile == "auto":
        # On a GPU, a plain graph waits for each of its many small kernels to be launched.
        on_gpu = bool(tf.config.list_logical_devices("GPU"))
        return "xla" if on_gpu or n_steps >= XLA_PAYS_FROM_STEPS else "graph"
    return "xla" if config.jit_compile else "graph"
