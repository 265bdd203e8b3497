"""The training loop: one step, run many times inside one compiled program, under `Model.fit`."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from aegmm_detect.exceptions import ConfigurationError, NonFiniteLossError
from aegmm_detect.nets.aegmm import forward_pass
from aegmm_detect.numerics.objective import ForwardPass, Objective
from aegmm_detect.programs.tracing import Mode, first_call
from aegmm_detect.types import FloatArray, Tensor

REGULARIZATION = "regularization"
_REMEDY = (
    "Train with normalize='standard', a larger batch_size, a lower learning rate or clip_norm=1.0."
)


def check_log_metric(log_metric: Any, columns: Sequence[str] = ()) -> None:
    """Raise unless `log_metric` is None or (column of its own, Keras metric).

    Raises
    ------
    ConfigurationError
        Shows an example.
    """
    if log_metric is None:
        return
    taken = {"loss", REGULARIZATION, *columns}
    pair = isinstance(log_metric, tuple) and len(log_metric) == 2
    if not (pair and isinstance(log_metric[1], keras.metrics.Metric)) or log_metric[0] in taken:
        raise ConfigurationError(
            f"log_metric={log_metric!r}: pass a pair of a column's name, none of {sorted(taken)}, "
            "and a Keras metric, for example ('mse', keras.metrics.MeanSquaredError())."
        )


class Trainer(keras.Model):
    """Trains a net on blocks of batches; Keras owns epochs, callbacks, history and progress.

    Parameters
    ----------
    net
        Prepared rows (N, ...) -> (x_recon, z, gamma).
    objective
        What is minimised and logged.
    log_metric
        (column, Keras metric); updated with (x, x_recon) after every step.
    mode
        'xla', 'graph' or 'eager': how the one step below is run, not what it does.
    n_steps
        Of the whole training, for terms whose weight depends on its progress.
    """

    def __init__(
        self,
        net: keras.Model,
        objective: Objective,
        log_metric: tuple[str, keras.metrics.Metric] | None = None,
        mode: Mode = "graph",
        n_steps: int = 1,
    ) -> None:
        super().__init__(name="trainer", dtype="float32")
        self.net = net
        self.objective = objective
        self.mode = mode
        self._n_steps = n_steps
        columns = (*objective.columns, *([REGULARIZATION] if net.losses else []))
        self._columns = columns
        self._log_metric = log_metric
        # Plain numbers: a Keras Mean per column would cost more than the steps of a small epoch.
        self._totals, self._steps_logged = np.zeros(len(columns)), 0
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Keras's hook: the metric that the user added."""
        return [] if self._log_metric is None else [self._log_metric[1]]

    def reset_metrics(self) -> None:
        """Keras's hook: a new epoch or validation pass begins."""
        super().reset_metrics()
        self._totals, self._steps_logged = np.zeros(len(self._columns)), 0

    def get_metrics_result(self) -> dict[str, Any]:
        """Keras's hook: the training log, by column."""
        means = (self._totals / max(self._steps_logged, 1)).tolist()
        log = dict(zip(self._columns, means, strict=True))
        if self._log_metric is not None:
            log[self._log_metric[0]] = float(self._log_metric[1].result())
        return log

    def call(self, x: Tensor, training: bool | None = None) -> Any:
        """The net's own output."""
        return self.net(x, training=training)

    def step_values(self, batch: Any, training: bool) -> dict[str, Tensor]:
        """Loss of one batch, rows or (rows, labels), and all that is logged besides it."""
        x, y = batch if isinstance(batch, tuple) else (batch, None)
        out = forward_pass(self.net, x, training)
        x, x_recon = out.x, ops.cast(out.x_recon, "float32")
        z, gamma = ops.cast(out.z, "float32"), ops.cast(out.gamma, "float32")
        out = ForwardPass(x, x_recon, z, gamma, out.extras, y, self._progress(training))
        values = self.objective.function(out)
        if REGULARIZATION in self._columns:
            penalty = ops.sum(ops.stack([ops.sum(loss) for loss in self.net.losses]))
            values = {**values, "loss": values["loss"] + penalty, REGULARIZATION: penalty}
        if self._log_metric is not None:
            self._log_metric[1].update_state(ops.broadcast_to(x, ops.shape(x_recon)), x_recon)
        return values

    def _progress(self, training: bool) -> Any:
        # Validation weighs terms as the end of training does, or epochs could not be compared.
        if not training:
            return 1.0
        done = ops.cast(self.optimizer.iterations, "float32") / max(self._n_steps - 1, 1)
        return ops.minimum(done, 1.0)

    def _update(self, batch: Any) -> dict[str, Tensor]:
        with tf.GradientTape() as tape:
            values = self.step_values(batch, training=True)
            # A sum, so that a member of an ensemble learns as it would alone.
            loss = ops.sum(values["loss"])
        weights = self.net.trainable_variables
        gradients = tape.gradient(loss, weights)
        # A custom loss may leave a net out.
        gradients = [
            ops.zeros_like(weight) if gradient is None else gradient
            for gradient, weight in zip(gradients, weights, strict=True)
        ]
        self.optimizer.apply(gradients, weights)
        return values

    def train_step(self, rows: Any, n_steps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Train on the batches of one block; a failing block leaves every variable untouched.

        Returns
        -------
        Sums of the logged columns, steps taken, and whether all of them were finite.
        """
        variables = [*self.net.variables, *self.optimizer.variables]
        before = [tf.identity(v.value) for v in variables]
        sums, taken, finite = self._loop(self._update, rows, n_steps)
        # A gradient can overflow while its loss is finite; the next step would find out too late.
        for weight in self.net.trainable_variables:
            finite = finite & tf.math.is_finite(tf.reduce_sum(tf.abs(weight.value)))
        for variable, value in zip(variables, before, strict=True):
            variable.assign(tf.where(finite, variable.value, value))
        return sums, taken, finite

    def test_step(self, rows: Any, n_steps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same values in inference mode; nothing is trained."""
        return self._loop(functools.partial(self.step_values, training=False), rows, n_steps)

    def _loop(
        self, step: Callable[[Any], dict[str, Tensor]], rows: Any, n_steps: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        def go_on(i: Tensor, finite: Tensor, _: Any) -> Tensor:
            return (i < n_steps) & finite

        def body(i: Tensor, _: Tensor, sums: Tensor) -> Any:
            values = step(keras.tree.map_structure(lambda part: part[i], rows))
            logged = [tf.reduce_mean(ops.cast(values[name], "float32")) for name in self._columns]
            return i + 1, tf.math.is_finite(logged[0]), sums + tf.stack(logged)

        start = (tf.constant(0), tf.constant(True), tf.zeros(len(self._columns)))
        taken, finite, sums = tf.while_loop(go_on, body, start, parallel_iterations=1)
        return sums, taken, finite

    def make_train_function(self, force: bool = False) -> None:
        """Keras's hook: what it calls for every block."""
        if force or getattr(self, "train_function", None) is None:
            self.train_function: Any = self._dispatcher(self.train_step, "training")

    def make_test_function(self, force: bool = False) -> None:
        """Keras's hook: what it calls for every validation block."""
        if force or getattr(self, "test_function", None) is None:
            self.test_function: Any = self._dispatcher(self.test_step, "validation")

    def _dispatcher(self, step: Callable[..., Any], phase: str) -> Callable[..., dict[str, Any]]:
        program: Callable[..., Any] | None = None

        def trace(block: Any, mode: Mode) -> Callable[..., Any]:
            if mode == "eager":
                return step
            # Traced here and once, as all blocks have the same shapes: TensorFlow counts traces of
            # one line of code, and would warn users who fit several detectors.
            function = tf.function(step, autograph=False, jit_compile=mode == "xla")
            return function.get_concrete_function(*block)

        def function(iterator: Iterator[Any]) -> dict[str, Any]:
            nonlocal program
            block = next(iterator)
            if program is None:
                result, program, self.mode = first_call(
                    functools.partial(trace, block), self.mode, *block
                )
            else:
                result = program(*block)
            sums, taken, finite = result
            return self._log(sums, taken, finite, phase)

        return function

    def _log(self, sums: Tensor, taken: Tensor, finite: Tensor, phase: str) -> dict[str, Any]:
        sums, steps = np.asarray(sums, dtype=np.float64), int(taken)
        if not finite:
            raise NonFiniteLossError(self._diagnosis(sums, steps, phase))
        self._totals, self._steps_logged = self._totals + sums, self._steps_logged + steps
        return self.get_metrics_result()

    def _diagnosis(self, sums: FloatArray, steps: int, phase: str) -> str:
        finite = np.isfinite(sums)
        bad = [name for name, ok in zip(self._columns, finite, strict=True) if not ok]
        cause = f"Not finite: {', '.join(bad)}."
        if finite.all():
            cause = "The loss was finite, but a gradient or a weight was not."
        return (
            f"The {phase} loss became NaN or infinite in step {steps} of a block of steps. {cause} "
            f"The weights are those before that step's block, and the detector is not fitted. "
            f"{_REMEDY}"
        )
