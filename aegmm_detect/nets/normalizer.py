"""Scaling of the inputs, kept with the detector and part of its scoring graph."""

import keras
import numpy as np
from keras import ops

from aegmm_detect.types import FloatArray, Tensor


@keras.saving.register_keras_serializable("aegmm_detect")
class Normalizer(keras.layers.Layer):
    """(x - offset) / scale in float64, returned as float32.

    In float64, so that features like timestamps keep what is left after the subtraction.

    Parameters
    ----------
    offset, scale
        Arrays of a row's shape.
    """

    def __init__(self, offset: FloatArray, scale: FloatArray) -> None:
        super().__init__(name="normalizer", autocast=False)
        self.offset = np.asarray(offset, dtype=np.float64)
        self.scale = np.asarray(scale, dtype=np.float64)

    def call(self, x: Tensor) -> Tensor:
        """Scale a batch on the device."""
        return ops.cast((ops.cast(x, "float64") - self.offset) / self.scale, "float32")

    def transform(self, batch: FloatArray) -> FloatArray:
        """Scale a batch in NumPy."""
        return ((batch - self.offset) / self.scale).astype(np.float32)

    def get_config(self) -> dict[str, object]:
        """Keras configuration: offset and scale as nested lists."""
        return {"offset": self.offset.tolist(), "scale": self.scale.tolist()}
