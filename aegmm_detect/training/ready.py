"""All that is decided and checked before the first step of a fit."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import keras

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics.objective import Objective
from aegmm_detect.processes import check_process
from aegmm_detect.training.callback_checks import check_suited, checked_callbacks
from aegmm_detect.training.checkpoint import Checkpoint
from aegmm_detect.training.fit import check_log_metric
from aegmm_detect.training.length import Length, length_of_fit
from aegmm_detect.training.objectives import Loss, choose_objective, must_run_eagerly
from aegmm_detect.training.optimizers import make_optimizer
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.training.run import fit_network, learning_rate
from aegmm_detect.types import UNSET, FloatArray, LossFn


@dataclasses.dataclass(frozen=True)
class How:
    """Arguments of `fit` that are not settings: objects of the user's, and where to."""

    loss_fn: LossFn | Any = UNSET
    optimizer: Any = UNSET
    verbose: bool | int | str = True
    log_metric: tuple[str, keras.metrics.Metric] | None = None
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None
    checkpoint_dir: str | os.PathLike[str] | None = None

    @property
    def own_loss(self) -> LossFn | None:
        """The user's loss; None for the detector's."""
        return None if self.loss_fn is UNSET else self.loss_fn

    @property
    def own_optimizer(self) -> Any:
        """The user's optimizer; None for the detector's."""
        return None if self.optimizer is UNSET else self.optimizer


# Arguments of `fit` by their names here.
HOW = frozenset(field.name for field in dataclasses.fields(How))


@dataclasses.dataclass(frozen=True)
class Ready:
    """A fit that only has to be run."""

    settings: FitConfig
    how: How
    length: Length
    optimizer: keras.optimizers.Optimizer
    objective: Objective
    callbacks: list[keras.callbacks.Callback]
    eager_net: bool  # the net cannot be compiled
    eager_loss: bool  # nor the loss

    def run(
        self, net: keras.Model, rows: TrainingRows, checkpoint: Checkpoint | None = None
    ) -> keras.callbacks.History:
        """Train `net` in place; see `fit_network`. The checkpoint's folder is free afterwards."""
        try:
            return fit_network(
                net,
                rows,
                self.objective,
                self.optimizer,
                self.settings,
                self.length,
                eager=self.eager_net or self.eager_loss,
                verbose=self.how.verbose,
                log_metric=self.how.log_metric,
                callbacks=self.callbacks,
                checkpoint=checkpoint,
            )
        finally:
            if checkpoint is not None:
                checkpoint.release()


def get_ready(
    net: keras.Model,
    sample: FloatArray,
    n_rows: int,
    loss: Loss,
    settings: FitConfig,
    how: How,
) -> Ready:
    """Check what a user brings, and decide how to train.

    Parameters
    ----------
    net
        Prepared rows -> (x_recon, z, gamma); tried here and left as it is.
    sample
        Two prepared rows.
    n_rows
        Training rows, which length and learning rate go by.
    loss
        Of the kind of detector.
    settings, how
        Of this fit.

    Raises
    ------
    ConfigurationError
        Something of `how` does not fit.
    ForkedProcessError
        TensorFlow cannot train in this process.
    """
    check_process()
    if how.verbose not in ("auto", 0, 1, 2):
        raise ConfigurationError(f"verbose={how.verbose!r}: pass True, False, 'auto', 0, 1 or 2.")
    length = length_of_fit(settings, n_rows)
    optimizer = make_optimizer(
        how.own_optimizer,
        learning_rate(settings, length),
        settings.clip_norm,
    )
    eager_net = must_run_eagerly(net, sample)
    objective, eager_loss = choose_objective(how.own_loss, loss, net, sample)
    check_log_metric(how.log_metric, objective.columns)
    callbacks = checked_callbacks(how.callbacks)
    check_suited(callbacks, optimizer)
    return Ready(settings, how, length, optimizer, objective, callbacks, eager_net, eager_loss)
