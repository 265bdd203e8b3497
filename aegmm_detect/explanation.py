"""Which features of a row make it strange."""

import dataclasses
import functools
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from aegmm_detect.nets.scoring import ScoreFunction, ScoreParameters
from aegmm_detect.programs.pure import NetProgram, PureFunction
from aegmm_detect.programs.tracing import SCORING
from aegmm_detect.training.estimate import rows_per_pass
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
        return np.mean([shares_of(np.abs(part)) for part in parts], axis=0, dtype=np.float32)


class Explainer:
    """Explains the scores of a graph.

    Integrated gradients (Sundararajan et al., ICML 2017, eq. 1) along the straight line from a
    row's reconstruction, the mean of the nets', to the row: they sum to the difference of the two
    scores, to 1 % of it or .01 nats, whichever is more, unless 2,592 points on the line are too few
    for that. The reconstruction stands for what the row would be if it were ordinary.

    Parameters
    ----------
    function
        Raw rows -> scores; one that can be compiled, or gradients would miss parts of it.
    net, parameters
        Of the function.
    row_dtype
        Of the rows that it takes.
    """

    def __init__(
        self,
        function: ScoreFunction,
        net: keras.Model,
        parameters: ScoreParameters,
        row_dtype: str,
    ) -> None:
        explained = PureFunction(_Explained(function), ("explained", function))
        # By XLA where it can: kernels that share a tile out between threads round the last digits
        # of rows by their place in it.
        self._program = NetProgram(net, explained, parameters, SCORING["mode"])
        self._row_dtype = row_dtype

    def __call__(self, rows: FloatArray) -> Explanation:
        """Explain raw rows (N, ...); values that are not finite are explained by themselves."""
        with np.errstate(over="ignore"):  # beyond float32 is infinite, as for the graph
            finite = np.isfinite(rows.astype(np.float32))
        axes = tuple(range(1, rows.ndim))
        bad = ~np.all(finite, axis=axes)
        filled = np.where(finite, rows, 0.0).astype(self._row_dtype)
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
        size = max(1, min(_TILE, rows_per_pass(rows.shape[1:]) // _POINTS))
        groups = middles.reshape(-1, _POINTS)
        empty = np.empty((0, *rows.shape[1:]), dtype=np.float32)
        tiles = [_Parts(empty, empty, empty, np.empty(0, dtype=np.float32))]
        for start in range(0, len(rows), size):
            tile = rows[start : start + size]
            padding = np.zeros((size - len(tile), *rows.shape[1:]), dtype=tile.dtype)
            full = np.concatenate([tile, padding])
            run = functools.partial(self._program, full, exact=True)
            found = [_Parts(*map(np.asarray, run(group))) for group in groups]
            slope = np.mean([parts.slope for parts in found], axis=0)
            whole = found[0]._replace(slope=slope)
            tiles.append(_Parts(*(part[: len(tile)] for part in whole)))
        return _Parts(*map(np.concatenate, zip(*tiles, strict=True)))


class _Explained:
    """Parts of explanations of a tile of rows, from points on the way that `middles` give."""

    def __init__(self, function: ScoreFunction) -> None:
        self._function = function

    def __call__(
        self, net: keras.Model, parameters: ScoreParameters, x: Tensor, middles: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        function = self._function
        score = functools.partial(function.of_prepared, net, parameters)
        rows = function.prepared(parameters, x)
        x_recon = ops.cast(net(rows, training=False)[0], "float32")
        ensemble = len(x_recon.shape) > len(rows.shape)
        typical = ops.mean(x_recon, axis=0) if ensemble else x_recon
        squared = ops.square(rows - x_recon)
        step = rows - typical
        middles = ops.reshape(middles, (_POINTS, *[1] * len(rows.shape)))
        points = ops.reshape(typical + middles * step, (-1, *rows.shape[1:]))
        with tf.GradientTape() as tape:
            tape.watch(points)
            scores = score(points)
        gradient = tape.gradient(scores, points)
        # Where the score is beyond float32, so is its slope.
        gradient = tf.where(tf.math.is_finite(gradient), gradient, 0.0)
        slope = ops.mean(ops.reshape(gradient, (_POINTS, *rows.shape)), axis=0)
        change = score(rows) - score(typical)
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


def shares_of(amounts: FloatArray) -> FloatArray:
    """Amounts (N, ...) divided by their sum over a row."""
    axes = tuple(range(1, amounts.ndim))
    amounts = np.where(np.isfinite(amounts), amounts, np.finfo(np.float32).max).astype(np.float64)
    total = amounts.sum(axis=axes, keepdims=True)
    # A perfect reconstruction has no part that is stranger than another.
    amounts = np.where(total > 0.0, amounts, 1.0)
    return amounts / amounts.sum(axis=axes, keepdims=True)
