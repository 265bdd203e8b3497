"""Which features of a row make it strange."""

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from aegmm_detect.nets.scoring import ScoringGraph
from aegmm_detect.training.estimate import rows_per_pass
from aegmm_detect.training.processes import check_process
from aegmm_detect.training.tracing import Mode, first_call
from aegmm_detect.types import FloatArray, Tensor

# Points of the midpoint rule on the way from the reconstruction to the row. The energy is about
# quadratic there, for which the rule is exact with one.
_POINTS = 32
# Most rows at a time: one program for every number of rows. Fewer of wide rows, images for example.
_TILE = 64


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """Contributions of features to scores, in two parts; arrays are shaped like the rows."""

    reconstruction: FloatArray  # (N, ...) squared residuals of prepared rows, mean over the nets
    score: FloatArray  # (N, ...) integrated gradients, in units of the score

    @property
    def shares(self) -> FloatArray:
        """How much of a row's strangeness is in each feature: (N, ...), from 0, each row sums to 1.

        The mean of the two parts' shares: of the squared residual, and of the integrated gradient's
        amounts. A row with NaN or infinity puts all into these values.
        """
        parts = (self.reconstruction, self.score)
        return np.mean([_shares(np.abs(part)) for part in parts], axis=0, dtype=np.float32)


class Explainer:
    """Explains the scores of a graph.

    Integrated gradients (Sundararajan et al., ICML 2017, eq. 1) along the straight line from a
    row's reconstruction, the mean of the nets', to the row: they sum to the difference of the two
    scores. The reconstruction stands for what the row would be if it were ordinary.

    Parameters
    ----------
    graph
        Raw rows -> scores; one that can be compiled, or gradients would miss parts of it.
    """

    def __init__(self, graph: ScoringGraph) -> None:
        self._graph = graph
        self._program: Any = None  # compiled when the first rows say what shape they have

    def __call__(self, rows: FloatArray) -> Explanation:
        """Explain raw rows (N, ...); values that are not finite are explained by themselves."""
        check_process()
        with np.errstate(over="ignore"):  # beyond float32 is infinite, as for the graph
            finite = np.isfinite(rows.astype(np.float32))
        bad = ~np.all(finite, axis=tuple(range(1, rows.ndim)))
        filled = np.where(finite, rows, 0.0).astype(self._graph.row_dtype)
        parts = [np.empty((2, 0, *rows.shape[1:]), dtype=np.float32)]
        size = max(1, min(_TILE, rows_per_pass(rows.shape[1:]) // _POINTS))
        for start in range(0, len(rows), size):
            tile = filled[start : start + size]
            padding = np.zeros((size - len(tile), *rows.shape[1:]), dtype=tile.dtype)
            full = tf.constant(np.concatenate([tile, padding]))
            if self._program is None:
                # By XLA where it can: kernels that share a tile out between threads round the last
                # digits of rows by their place in it.
                _, self._program, _ = first_call(functools.partial(self._trace, full), "xla", full)
            parts.append(np.asarray(self._program(full))[:, : len(tile)])
        both = np.concatenate(parts, axis=1)
        both[:, bad] = ~finite[bad]
        return Explanation(*both)

    def _trace(self, rows: Tensor, mode: Mode) -> Any:
        function = tf.function(self._explain, autograph=False, jit_compile=mode == "xla")
        return function.get_concrete_function(rows)

    def _explain(self, x: Tensor) -> Tensor:
        graph = self._graph
        rows = x if graph.normalizer is None else graph.normalizer(x)
        x_recon = ops.cast(graph.net(rows, training=False)[0], "float32")
        ensemble = len(x_recon.shape) > len(rows.shape)
        typical = ops.mean(x_recon, axis=0) if ensemble else x_recon
        squared = ops.square(rows - x_recon)
        step = rows - typical
        middles = (np.arange(_POINTS, dtype=np.float32) + 0.5) / _POINTS
        middles = middles.reshape(_POINTS, *[1] * len(rows.shape))
        points = ops.reshape(typical + middles * step, (-1, *rows.shape[1:]))
        with tf.GradientTape() as tape:
            tape.watch(points)
            scores = self._graph.score(points)
        gradient = tape.gradient(scores, points)
        # Where the score is beyond float32, so is its slope.
        gradient = tf.where(tf.math.is_finite(gradient), gradient, 0.0)
        slope = ops.mean(ops.reshape(gradient, (_POINTS, *rows.shape)), axis=0)
        return ops.stack([ops.mean(squared, axis=0) if ensemble else squared, step * slope])


def _shares(amounts: FloatArray) -> FloatArray:
    """Amounts (N, ...) divided by their sum over a row."""
    axes = tuple(range(1, amounts.ndim))
    amounts = np.where(np.isfinite(amounts), amounts, np.finfo(np.float32).max).astype(np.float64)
    total = amounts.sum(axis=axes, keepdims=True)
    # A perfect reconstruction has no part that is stranger than another.
    amounts = np.where(total > 0.0, amounts, 1.0)
    return amounts / amounts.sum(axis=axes, keepdims=True)
