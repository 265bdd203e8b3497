"""Which features of a row make it strange."""

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from aegmm_detect.nets.scoring import ScoringGraph
from aegmm_detect.training.estimate import rows_per_pass
from aegmm_detect.training.processes import check_process
from aegmm_detect.training.tracing import Mode, device_of, first_call
from aegmm_detect.types import BoolArray, FloatArray, Tensor

# Points of the midpoint rule on the way from the reconstruction to the row: at first, and at most.
# Each refinement has three times as many, among them those before.
_POINTS = 32
_MOST_POINTS = 32 * 3**4
# Difference between the sum of a row's contributions and what they explain, above which its
# integral is refined: a share of the latter, and an amount that floating point may add.
_SHARE_OFF, _LEAST_OFF = 0.01, 0.01
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
    scores, to 1 % of it or .01 nats, whichever is more, unless 2,592 points on the line are too few
    for that. The reconstruction stands for what the row would be if it were ordinary.

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
        axes = tuple(range(1, rows.ndim))
        bad = ~np.all(finite, axis=axes)
        filled = np.where(finite, rows, 0.0).astype(self._graph.row_dtype)
        n_points = _POINTS
        squared, step, slope, change = self._parts(filled, _middles(n_points))
        # Row by row, so that no row's explanation depends on those that come with it.
        rough = np.flatnonzero(~bad & _is_off(step * slope, change))
        while len(rough) and n_points < _MOST_POINTS:
            for shift in (-1.0, 1.0):
                middles = _middles(n_points) + np.float32(shift / (3 * n_points))
                slope[rough] += self._parts(filled[rough], middles).slope
            slope[rough] /= 3.0
            n_points *= 3
            rough = rough[_is_off(step[rough] * slope[rough], change[rough])]
        both = np.stack([squared, step * slope])
        both[:, bad] = ~finite[bad]
        return Explanation(*both)

    def _parts(self, rows: FloatArray, middles: FloatArray) -> "_Parts":
        """What explanations of finite rows are made of; the slope as a mean over all `middles`."""
        with tf.device(device_of(self._graph)):
            return self._tiled_parts(rows, middles)

    def _tiled_parts(self, rows: FloatArray, middles: FloatArray) -> "_Parts":
        size = max(1, min(_TILE, rows_per_pass(rows.shape[1:]) // _POINTS))
        groups = middles.reshape(-1, _POINTS)
        empty = np.empty((0, *rows.shape[1:]), dtype=np.float32)
        tiles = [_Parts(empty, empty, empty, np.empty(0, dtype=np.float32))]
        for start in range(0, len(rows), size):
            tile = rows[start : start + size]
            padding = np.zeros((size - len(tile), *rows.shape[1:]), dtype=tile.dtype)
            full = tf.constant(np.concatenate([tile, padding]))
            found = [_Parts(*map(np.asarray, self._run(full, tf.constant(g)))) for g in groups]
            slope = np.mean([parts.slope for parts in found], axis=0)
            whole = found[0]._replace(slope=slope)
            tiles.append(_Parts(*(part[: len(tile)] for part in whole)))
        return _Parts(*map(np.concatenate, zip(*tiles, strict=True)))

    def _run(self, rows: Tensor, middles: Tensor) -> Any:
        if self._program is None:
            # By XLA where it can: kernels that share a tile out between threads round the last
            # digits of rows by their place in it.
            trace = functools.partial(self._trace, rows, middles)
            result, self._program, _ = first_call(trace, "xla", rows, middles)
            return result
        return self._program(rows, middles)

    def _trace(self, rows: Tensor, middles: Tensor, mode: Mode) -> Any:
        function = tf.function(self._explain, autograph=False, jit_compile=mode == "xla")
        return function.get_concrete_function(rows, middles)

    def _explain(self, x: Tensor, middles: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        graph = self._graph
        rows = x if graph.normalizer is None else graph.normalizer(x)
        x_recon = ops.cast(graph.net(rows, training=False)[0], "float32")
        ensemble = len(x_recon.shape) > len(rows.shape)
        typical = ops.mean(x_recon, axis=0) if ensemble else x_recon
        squared = ops.square(rows - x_recon)
        step = rows - typical
        middles = ops.reshape(middles, (_POINTS, *[1] * len(rows.shape)))
        points = ops.reshape(typical + middles * step, (-1, *rows.shape[1:]))
        with tf.GradientTape() as tape:
            tape.watch(points)
            scores = self._graph.score(points)
        gradient = tape.gradient(scores, points)
        # Where the score is beyond float32, so is its slope.
        gradient = tf.where(tf.math.is_finite(gradient), gradient, 0.0)
        slope = ops.mean(ops.reshape(gradient, (_POINTS, *rows.shape)), axis=0)
        change = graph.score(rows) - graph.score(typical)
        return ops.mean(squared, axis=0) if ensemble else squared, step, slope, change


class _Parts(NamedTuple):
    """What explanations of N rows are made of."""

    squared: FloatArray  # (N, ...) residuals, mean over the nets
    step: FloatArray  # (N, ...) from the reconstruction to the row
    slope: FloatArray  # (N, ...) of the score, mean over points on the way
    change: FloatArray  # (N,) of the score on the way


def _middles(n_points: int) -> FloatArray:
    return ((np.arange(n_points) + 0.5) / n_points).astype(np.float32)


def _is_off(contributions: FloatArray, change: FloatArray) -> BoolArray:
    """Rows (N,) whose contributions do not sum to the change, where that is finite."""
    axes = tuple(range(1, contributions.ndim))
    total = contributions.sum(axis=axes, dtype=np.float64)
    error = np.abs(total - change)
    return np.isfinite(change) & (error > np.maximum(_SHARE_OFF * np.abs(change), _LEAST_OFF))


def _shares(amounts: FloatArray) -> FloatArray:
    """Amounts (N, ...) divided by their sum over a row."""
    axes = tuple(range(1, amounts.ndim))
    amounts = np.where(np.isfinite(amounts), amounts, np.finfo(np.float32).max).astype(np.float64)
    total = amounts.sum(axis=axes, keepdims=True)
    # A perfect reconstruction has no part that is stranger than another.
    amounts = np.where(total > 0.0, amounts, 1.0)
    return amounts / amounts.sum(axis=axes, keepdims=True)
