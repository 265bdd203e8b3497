"""The link to Keras: `Model.fit` on blocks of steps, with its callbacks, history and progress."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import ConfigurationError, NonFiniteLossError
from aegmm_detect.training.block import REGULARIZATION
from aegmm_detect.training.optimizers import Optimizers
from aegmm_detect.training.stand_in import Steps
from aegmm_detect.training.updates import LOSS
from aegmm_detect.types import FloatArray, Tensor

_REMEDY = (
    "Train with normalize='standard', a larger batch_size, a lower learning rate or clip_norm=1.0."
)


def check_log_metric(log_metric: Any, columns: Sequence[str] = ()) -> None:
    """Raise unless `log_metric` is None or (name of a new column, Keras metric).

    Raises
    ------
    ConfigurationError
        `log_metric` is something else; the message shows an example.
    """
    if log_metric is None:
        return
    taken = {LOSS, REGULARIZATION, *columns}
    pair = isinstance(log_metric, tuple) and len(log_metric) == 2
    if not (pair and isinstance(log_metric[1], keras.metrics.Metric)) or log_metric[0] in taken:
        raise ConfigurationError(
            f"log_metric={log_metric!r}: pass a pair of a column's name, none of {sorted(taken)}, "
            "and a Keras metric, for example ('mse', keras.metrics.MeanSquaredError())."
        )


class Trainer(keras.Model):
    """Trains a net on blocks of batches. Keras handles epochs, callbacks, history and progress.

    It is the `model` that callbacks see.

    Parameters
    ----------
    net
        The net to train in place.
    optimizer
        Its optimizer, or a group of optimizers, already built.
    steps
        The compiled steps of this net and optimizer.
    log_metric
        The user's (column, Keras metric) for the log, or None.
    """

    def __init__(
        self,
        net: keras.Model,
        optimizer: Optimizers,
        steps: Steps,
        log_metric: tuple[str, keras.metrics.Metric] | None = None,
    ) -> None:
        super().__init__(name="trainer", dtype="float32")
        self.net = net
        self.trained_by = optimizer
        self.steps = steps
        self._log_metric = log_metric
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Keras hook: the user's metric, if any."""
        return [] if self._log_metric is None else [self._log_metric[1]]

    def reset_metrics(self) -> None:
        """Keras hook: reset the log when an epoch or validation pass begins."""
        super().reset_metrics()
        # A Keras `Mean` per column would take longer than the steps of a small epoch.
        self._totals, self._steps_logged = np.zeros(len(self.steps.columns)), 0

    def get_metrics_result(self) -> dict[str, Any]:
        """Keras hook: the values of the log so far, by column."""
        means = (self._totals / max(self._steps_logged, 1)).tolist()
        log = dict(zip(self.steps.columns, means, strict=True))
        if self._log_metric is not None:
            log[self._log_metric[0]] = float(self._log_metric[1].result())
        return log

    def call(self, x: Tensor, training: bool | None = None) -> Any:
        """Call the net."""
        return self.net(x, training=training)

    def make_train_function(self, force: bool = False) -> None:
        """Keras hook: set the function that Keras calls for every training block."""
        self.train_function: Any = functools.partial(self._run, "training")

    def make_test_function(self, force: bool = False) -> None:
        """Keras hook: set the function that Keras calls for every validation block."""
        self.test_function: Any = functools.partial(self._run, "validation")

    def _run(self, phase: str, blocks: Iterator[Any]) -> dict[str, Any]:
        sums, taken, finite = self.steps.run(phase, next(blocks))
        totals, n_steps = np.asarray(sums, dtype=np.float64), int(taken)
        if not finite:
            raise NonFiniteLossError(self._diagnosis(totals, n_steps, phase))
        self._totals, self._steps_logged = self._totals + totals, self._steps_logged + n_steps
        return self.get_metrics_result()

    def _diagnosis(self, sums: FloatArray, steps: int, phase: str) -> str:
        finite = np.isfinite(sums)
        bad = [name for name, ok in zip(self.steps.columns, finite, strict=True) if not ok]
        cause = f"Not finite: {', '.join(bad)}."
        if finite.all():
            cause = "The loss was finite, but a gradient or a weight was not."
        return (
            f"The {phase} loss became NaN or infinite in step {steps} of a block of steps. {cause} "
            f"The weights are those before that step's block, and the detector is not fitted. "
            f"{_REMEDY}"
        )
