"""A block of training steps: one program that loops over batches and stops at a non-finite loss."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from aegmm_detect.programs.packing import Layout
from aegmm_detect.training.objective import Objective
from aegmm_detect.training.optimizers import Optimizers, set_rate
from aegmm_detect.training.updates import LOSS
from aegmm_detect.types import Tensor

REGULARIZATION = "regularization"


class Block:
    """Functions that train or validate a net on a block of batches. They change it in place.

    Parameters
    ----------
    net
        The net to train.
    optimizer
        The optimizer, already built.
    objective
        The loss and the columns of the log.
    layout
        How the objective's arrays are packed.
    metric
        A metric to update in every step with `Evaluated.compared`.
    decays
        Whether the learning rate decays to zero over the whole training, along a half cosine. This
        is not a Keras schedule, because its length would be a constant of the program.
    """

    def __init__(
        self,
        net: keras.Model,
        optimizer: Optimizers,
        objective: Objective,
        layout: Layout,
        metric: keras.metrics.Metric | None = None,
        decays: bool = False,
    ) -> None:
        self.net, self.optimizer = net, optimizer
        self._decays = decays
        self._objective, self._layout, self._metric = objective, layout, metric
        self.columns = (*objective.columns, *([REGULARIZATION] if net.losses else []))

    def train(
        self, rows: Any, n_steps: Tensor, whole: Tensor, rate: Tensor, *arrays: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Train on the batches of one block. If a step is not finite, restore all variables.

        Parameters
        ----------
        rows
            S batches (S, N, ...), or a pair of these and labels (S, N).
        n_steps
            Number of batches to use; the rest is padding.
        whole
            Number of steps of the whole training, float32.
        rate
            Initial learning rate, if it decays.
        arrays
            The objective's arrays, packed.

        Returns
        -------
        Sums of the logged columns, number of steps taken, and whether all were finite.
        """
        variables = [*self.net.variables, *self.optimizer.variables]
        before = [tf.identity(v.value) for v in variables]

        def step(batch: Any) -> Mapping[str, Tensor]:
            done = ops.cast(self.optimizer.iterations, "float32")
            progress = ops.minimum(done / ops.maximum(whole - 1.0, 1.0), 1.0)
            if self._decays:
                share = ops.minimum(done / whole, 1.0)
                set_rate(self.optimizer, 0.5 * rate * (1.0 + ops.cos(math.pi * share)))
            evaluate = functools.partial(self._values, batch, arrays, progress, True)
            return self._objective.update(self.net, self.optimizer, evaluate)

        sums, taken, finite = self._loop(step, rows, n_steps)
        # A gradient can overflow although its loss is finite, so also check the weights. The loss
        # of the next step would show it too late.
        for weight in self.net.trainable_variables:
            finite = finite & tf.math.is_finite(tf.reduce_sum(tf.abs(weight.value)))
        for variable, value in zip(variables, before, strict=True):
            variable.assign(tf.where(finite, variable.value, value))
        return sums, taken, finite

    def test(
        self, rows: Any, n_steps: Tensor, whole: Tensor, rate: Tensor, *arrays: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the same values in inference mode, without training."""
        # Use the weights of the loss terms from the end of training (progress 1), so that the
        # values of different epochs can be compared.
        return self._loop(lambda batch: self._values(batch, arrays, 1.0, False), rows, n_steps)

    def _values(
        self, batch: Any, arrays: tuple[Tensor, ...], progress: Any, training: bool
    ) -> Mapping[str, Tensor]:
        left = iter(self._layout.unpack(arrays))
        tree = tf.nest.map_structure(lambda _: next(left), self._objective.arrays)
        values, compared = self._objective.values(self.net, tree, batch, progress, training)
        if REGULARIZATION in self.columns:
            # Layers may use another precision.
            each = [ops.cast(ops.sum(loss), "float32") for loss in self.net.losses]
            penalty = ops.sum(ops.stack(each))
            values = {**values, LOSS: values[LOSS] + penalty, REGULARIZATION: penalty}
        if self._metric is not None and compared is not None:
            self._metric.update_state(*compared)
        return values

    def _loop(
        self, step: Callable[[Any], Mapping[str, Tensor]], rows: Any, n_steps: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        def go_on(i: Tensor, finite: Tensor, _: Any) -> Tensor:
            return (i < n_steps) & finite

        def body(i: Tensor, _: Tensor, sums: Tensor) -> Any:
            values = step(keras.tree.map_structure(lambda part: part[i], rows))
            logged = [tf.reduce_mean(ops.cast(values[name], "float32")) for name in self.columns]
            return i + 1, tf.math.is_finite(logged[0]), sums + tf.stack(logged)

        start = (tf.constant(0), tf.constant(True), tf.zeros(len(self.columns)))
        taken, finite, sums = tf.while_loop(go_on, body, start, parallel_iterations=1)
        return sums, taken, finite
