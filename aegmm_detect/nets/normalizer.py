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
    squash
        Whether the inverse hyperbolic sine comes last: linear near 0, logarithmic far out, so that
        heavy tails neither drown other rows nor end in a tie, as clipping would have it.
    """

    def __init__(self, offset: FloatArray, scale: FloatArray, squash: bool = False) -> None:
        super().__init__(name="normalizer", autocast=False)
        self.squash = squash
        self.offset = np.asarray(offset, dtype=np.float64)
        self.scale = np.asarray(scale, dtype=np.float64)

    def call(self, x: Tensor) -> Tensor:
        """Scale a batch on the device."""
        return scaled(x, self.offset, self.scale, self.squash)

    def transform(self, batch: FloatArray) -> FloatArray:
        """Scale a batch in NumPy."""
        exact = (batch - self.offset) / self.scale
        return (np.arcsinh(exact) if self.squash else exact).astype(np.float32)

    def __reduce__(self) -> tuple[type["Normalizer"], tuple[FloatArray, FloatArray, bool]]:
        # Keras's own, through a file of weights, keeps none of these.
        return type(self), (self.offset, self.scale, self.squash)

    def get_config(self) -> dict[str, object]:
        """Keras configuration: offset and scale as nested lists."""
        return {
            "offset": self.offset.tolist(),
            "scale": self.scale.tolist(),
            "squash": self.squash,
        }


def scaled(x: Tensor, offset: Tensor, scale: Tensor, squash: bool) -> Tensor:
    """(x - offset) / scale and, if wanted, its inverse hyperbolic sine: float64, then float32."""
    exact = (ops.cast(x, "float64") - offset) / scale
    return ops.cast(ops.arcsinh(exact) if squash else exact, "float32")
