"""Learn the scaling of the inputs from batches of training rows."""

import numpy as np
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from aegmm_detect.configs.aegmm import Normalize
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.types import FloatArray

_SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler}


class NormalizerFit:
    """Streamed fit of the scaling: feed it batches of training rows, then call `finish`."""

    def __init__(self, kind: Normalize) -> None:
        self._scaler = _SCALERS[kind]()

    def update(self, batch: FloatArray) -> None:
        """Take a batch of rows (N, ...) into account."""
        self._scaler.partial_fit(batch.reshape(len(batch), -1).astype(np.float64))

    def finish(self, shape: tuple[int, ...]) -> Normalizer:
        """The layer for rows of feature shape `shape`. Constant features get scale 1."""
        scaler = self._scaler
        if isinstance(scaler, StandardScaler):
            offset, scale = scaler.mean_, scaler.scale_
        else:
            offset, scale = scaler.data_min_, 1.0 / scaler.scale_
        return Normalizer(offset.reshape(shape), scale.reshape(shape))
