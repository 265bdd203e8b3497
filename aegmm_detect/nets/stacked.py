"""Dense layers of several nets of one shape, as one layer: an ensemble trains as one program."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from aegmm_detect.programs.structure import shared_class
from aegmm_detect.types import Tensor


@shared_class
@keras.saving.register_keras_serializable("aegmm_detect")
class StackedDense(keras.layers.Layer):
    """`keras.layers.Dense` for M members: rows (N, F) or (M, N, F) -> (M, N, units).

    Rows without a members' axis go to every member. A member computes what a `Dense` with its
    slice of the weights would.

    Parameters
    ----------
    units
        Width of each member's output.
    seeds
        Of the members' initial weights, M of them; None for any.
    activation
        Keras activation, or None.
    name
        Keras's name of the layer.
    """

    def __init__(
        self,
        units: int,
        seeds: Sequence[int | None],
        activation: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.units = units
        self.seeds = tuple(seeds)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights: the kernel of each member as `Dense` would draw it."""

        def stacked(shape: tuple[int, ...], dtype: Any = None) -> Any:
            draws = [
                keras.initializers.GlorotUniform(seed)(shape[1:], dtype) for seed in self.seeds
            ]
            return np.stack([ops.convert_to_numpy(draw) for draw in draws])

        members = len(self.seeds)
        self.kernel = self.add_weight(
            shape=(members, input_shape[-1], self.units), initializer=stacked, name="kernel"
        )
        self.bias = self.add_weight(
            shape=(members, 1, self.units), initializer="zeros", name="bias"
        )

    def call(self, x: Tensor) -> Tensor:
        """Every member's output."""
        return self.activation(ops.matmul(x, self.kernel) + self.bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(M, N, units)."""
        return (len(self.seeds), input_shape[-2], self.units)

    def get_config(self) -> dict[str, Any]:
        """Keras configuration."""
        config = {
            "units": self.units,
            "seeds": self.seeds,
            "activation": keras.activations.serialize(self.activation),
        }
        return {"name": self.name, **config}


def member_weights(net: keras.Model, member: int) -> list[Any]:
    """Weights of one member of a stacked net, in the order of the plain net of its shape."""
    weights = []
    for weight in net.weights:
        value = weight.numpy()[member]
        weights.append(value[0] if weight.name == "bias" else value)
    return weights
