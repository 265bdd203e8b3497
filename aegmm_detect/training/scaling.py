"""Learn the scaling of the inputs from batches of training rows."""

from typing import Protocol

import numpy as np
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from aegmm_detect.configs.rows import Normalize
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.numerics.spread import divisor, is_constant, rounding
from aegmm_detect.types import FloatArray

# Quartiles of this many random rows are as good as those of all rows.
_MOST_ROWS = 65_536


class NormalizerFit(Protocol):
    """Streamed fit of the scaling: call `update` with batches of rows, then `finish`."""

    def update(self, batch: FloatArray) -> None:
        """Learn from a batch of rows (N, ...)."""

    def finish(self, shape: tuple[int, ...]) -> Normalizer:
        """The layer for rows of feature shape `shape`. Constant features get scale 1.

        A feature is constant if it varies by no more than rounding errors: see
        `aegmm_detect.numerics.spread`.
        """


def normalizer_fit(kind: Normalize) -> NormalizerFit:
    """The fit for `kind`."""
    return _Quartiles() if kind == "robust" else _Moments(kind)


class _Moments:
    """Scaling by mean and deviation, or by minimum and maximum."""

    def __init__(self, kind: Normalize) -> None:
        self._scaler = {"standard": StandardScaler, "minmax": MinMaxScaler}[kind]()
        self._rounding = 0.0

    def update(self, batch: FloatArray) -> None:
        self._rounding = max(self._rounding, rounding(batch.dtype))
        self._scaler.partial_fit(_flat(batch))

    def finish(self, shape: tuple[int, ...]) -> Normalizer:
        scaler = self._scaler
        if isinstance(scaler, StandardScaler):
            offset, spread, size = scaler.mean_, np.sqrt(scaler.var_), scaler.mean_
        else:
            offset, spread = scaler.data_min_, scaler.data_range_
            size = np.maximum(np.abs(scaler.data_min_), np.abs(scaler.data_max_))
        scale = divisor(spread, size, self._rounding)
        return Normalizer(offset.reshape(shape), scale.reshape(shape))


class _Quartiles:
    """Scaling by median and interquartile range, then the inverse hyperbolic sine."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        self._rounding = 0.0
        self._keys: FloatArray = np.empty(0)
        self._rows: FloatArray = np.empty((0, 0))

    def update(self, batch: FloatArray) -> None:
        self._rounding = max(self._rounding, rounding(batch.dtype))
        # The rows with the smallest of as many random numbers are a random draw from all of them.
        rows: FloatArray = _flat(batch)
        keys: FloatArray = self._rng.random(len(batch))
        if len(self._keys):
            rows, keys = np.concatenate([self._rows, rows]), np.concatenate([self._keys, keys])
        if len(keys) > _MOST_ROWS:
            keep = np.argpartition(keys, _MOST_ROWS)[:_MOST_ROWS]
            rows, keys = rows[keep], keys[keep]
        self._rows, self._keys = rows, keys

    def finish(self, shape: tuple[int, ...]) -> Normalizer:
        lower, median, upper = np.percentile(self._rows, [25.0, 50.0, 75.0], axis=0)
        # Half of the values can be the same, as in counts and dummies. Then take the deviation.
        alike = is_constant(upper - lower, median, self._rounding)
        spread = np.where(alike, self._rows.std(axis=0), upper - lower)
        scale = divisor(spread, median, self._rounding)
        return Normalizer(median.reshape(shape), scale.reshape(shape), squash=True)


def _flat(batch: FloatArray) -> FloatArray:
    return batch.reshape(len(batch), -1).astype(np.float64)
