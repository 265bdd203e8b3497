"""The training of all models: a net, an objective, prepared rows, settings -> a history.

The loops: Keras's `Model.fit` runs the epochs, and `Block._loop` in block.py runs the steps of a
block in one compiled program.
"""

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from aegmm_detect.configs.training import TrainingConfig
from aegmm_detect.exceptions import ConfigurationError, NonFiniteLossError
from aegmm_detect.processes import check_process
from aegmm_detect.programs.tracing import Mode
from aegmm_detect.training.callback_checks import check_suited, checked_callbacks
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
from aegmm_detect.training.fingerprint import fingerprint
from aegmm_detect.training.length import Length, length_of_fit
from aegmm_detect.training.objective import Objective
from aegmm_detect.training.optimizers import another, first_of, make_optimizer
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.training.seeding import seed_random_layers
from aegmm_detect.training.selection import Selection
from aegmm_detect.training.stand_in import Steps
from aegmm_detect.training.trainer import Trainer, check_log_metric
from aegmm_detect.types import UNSET

# On a CPU, XLA takes 3-6 s to compile and then saves 2-4 ms per step: with fewer steps than this it
# does not pay. On a GPU it always pays: 3 million rows per second instead of 87 thousand.
XLA_PAYS_FROM_STEPS = 2000


@dataclasses.dataclass(frozen=True)
class FitOptions:
    """Arguments of the user's `fit` call that are not rows or settings."""

    optimizer: Any = UNSET
    verbose: bool | int | str = True
    log_metric: tuple[str, keras.metrics.Metric] | None = None
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None
    checkpoint_dir: str | os.PathLike[str] | None = None


def fit(
    net: keras.Model,
    objective: Objective,
    rows: TrainingRows,
    config: TrainingConfig,
    options: FitOptions = FitOptions(verbose=False),  # frozen
    *,
    eager: bool = False,
    begin: Callable[[], None] | None = None,
    checkpoint: Checkpoint | None = None,
    described: Mapping[str, Any] | None = None,
) -> keras.callbacks.History:
    """Train `net` in place.

    Parameters
    ----------
    net
        The net to train.
    objective
        The loss and the columns of the log.
    rows
        Result of `prepare`.
    config
        Length, batch size, optimizer, seed, compilation.
    options
        The user's arguments. All are checked before anything changes.
    eager
        Run steps without compiling, for functions that cannot run in a graph.
    begin
        Function called after the checks and before weights change.
    checkpoint
        Checkpoint in `options.checkpoint_dir`. The fit resumes from it, and writes it after every
        epoch.
    described
        Everything else that must be equal for a fit to resume from the checkpoint.

    Returns
    -------
    Keras's `History`.

    Raises
    ------
    ConfigurationError, CheckpointError, ForkedProcessError
        A check failed. This happens before `begin` is called.
    NonFiniteLossError
        A loss was not finite. The net then has the weights from before the failing block of steps.
    Exception
        Any exception that a stream of rows raises is passed on unchanged.
    """
    check_process()
    verbose = options.verbose
    if verbose not in ("auto", 0, 1, 2):
        raise ConfigurationError(f"verbose={verbose!r}: pass True, False, 'auto', 0, 1 or 2.")
    length = length_of_fit(config, rows.train.n_rows)
    given = None if options.optimizer is UNSET else options.optimizer
    one = make_optimizer(given, config.learning_rate, config.clip_norm)
    decays = given is None and config.learning_rate_decay is not None
    optimizer = objective.update.optimizers(one)
    check_log_metric(options.log_metric, objective.columns)
    callbacks = checked_callbacks(options.callbacks)
    check_suited(callbacks, one, decays)
    if checkpoint is not None:
        found = fingerprint(dict(described or {}), net, optimizer, rows, callbacks)
        alike = another(optimizer)
        objective.update.build(net, alike)
        checkpoint.claim(found, callbacks, net, alike.variables)
    try:
        if begin is not None:
            begin()
        if config.seed is not None:
            seed_random_layers(net, config.seed)
        log_metric, mode = options.log_metric, _mode(eager, config, length.total_steps)
        metric = None if log_metric is None else log_metric[1]
        watched = bool(callbacks) or checkpoint is not None or objective.select is not None
        objective.update.build(net, optimizer)
        start = config.learning_rate if decays else None
        last = (metric, mode, length.total_steps, watched, start)
        steps = Steps(net, optimizer, objective, *last)
        trainer = Trainer(net, optimizer, steps, log_metric)
        selection = None if objective.select is None else Selection(objective, rows.train)
        first_epoch = _first_epoch(checkpoint, length)
        blocks = _training_blocks(rows.train, config, length, first_epoch, selection)
        steps_per_block = blocks.plan.steps_per_block
        trainer.compile(
            optimizer=first_of(optimizer),
            steps_per_execution=steps_per_block,
            auto_scale_loss=False,
        )
        try:
            if checkpoint is not None:
                callbacks = checkpoint.take_up(trainer, callbacks)
                if checkpoint.finished:
                    return trainer.history
            if selection is not None:
                callbacks = [selection, *callbacks]
            return _run(trainer, rows, blocks, config, length, verbose, callbacks, checkpoint)
        finally:
            steps.close()
    finally:
        if checkpoint is not None:
            checkpoint.release()


def _run(
    trainer: Trainer,
    rows: TrainingRows,
    blocks: Blocks,
    config: TrainingConfig,
    length: Length,
    verbose: bool | int | str,
    callbacks: Sequence[keras.callbacks.Callback],
    checkpoint: Checkpoint | None,
) -> keras.callbacks.History:
    validation = None
    if rows.validation is not None:
        # Keras uses the training's steps per block for validation, too, so the blocks must match.
        cut = plan(rows.validation.n_rows, config.batch_size, blocks.plan.steps_per_block)
        validation = array_blocks(rows.validation, cut, None, shuffle=False)
    first_epoch = _first_epoch(checkpoint, length)
    n_blocks = (length.epochs - first_epoch) * math.ceil(length.steps / blocks.plan.steps_per_block)
    train = functools.partial(
        trainer.fit,
        # Read no more blocks than needed, so that a stream does not start an unused pass.
        blocks.dataset.take(n_blocks).prefetch(blocks.ahead)
        if blocks.ahead
        else blocks.dataset.take(n_blocks),
        epochs=length.epochs,
        initial_epoch=first_epoch,
        steps_per_epoch=length.steps,
        shuffle=False,  # the blocks are shuffled already
        validation_data=None if validation is None else validation.dataset.prefetch(1),
        validation_steps=None if validation is None else validation.plan.steps,
        verbose=int(verbose) if isinstance(verbose, bool) else verbose,
        callbacks=list(callbacks),
    )
    try:
        return blocks.source.run(train)
    except NonFiniteLossError as error:
        if checkpoint is not None:
            error.add_note(checkpoint.after_failure)
        raise


def _first_epoch(checkpoint: Checkpoint | None, length: Length) -> int:
    if checkpoint is None:
        return 0
    return length.epochs if checkpoint.stopped else checkpoint.epochs


def _training_blocks(
    rows: ArrayRows | StreamRows,
    config: TrainingConfig,
    length: Length,
    first_epoch: int,
    selection: Selection | None,
) -> Blocks:
    limit = min(config.steps_per_execution, steps_that_fit(rows, config.batch_size))
    # If an epoch is one pass, its last batch is filled up with rows of that pass, not of a second.
    steps = None if config.n_steps is None else length.steps
    cut = plan(rows.n_rows, config.batch_size, limit, steps)
    if isinstance(rows, ArrayRows):
        chosen = None if selection is None else selection.chosen
        return array_blocks(rows, cut, config.seed, True, first_epoch, chosen)
    return stream_blocks(rows, cut, config.seed, first_epoch)


def _mode(eager: bool, config: TrainingConfig, n_steps: int) -> Mode:
    if eager:
        return "eager"
    if config.jit_compile == "auto":
        # On a GPU, a plain graph is slow, because it launches many small kernels.
        on_gpu = bool(tf.config.list_logical_devices("GPU"))
        return "xla" if on_gpu or n_steps >= XLA_PAYS_FROM_STEPS else "graph"
    return "xla" if config.jit_compile else "graph"
