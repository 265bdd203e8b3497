"""Winners on self-organising maps, as a layer whose maps are saved with the net."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics.portable import first_largest
from aegmm_detect.numerics.som import grid, nearest_node
from aegmm_detect.programs.structure import shared_class
from aegmm_detect.types import FloatArray, Tensor


@shared_class
@keras.saving.register_keras_serializable("aegmm_detect")
class WinnerCoordinates(keras.layers.Layer):
    """Prepared rows (N, ...) -> places of their winners, (N, 2 * maps) float32 in [0, 1].

    As ``numerics.som.winner_coordinates``, and no gradient flows through it. More axes of features
    are flattened. A row that is not finite gets the place of some node, too: that it is like none
    of the others has to be reported elsewhere.

    Parameters
    ----------
    sides
        Nodes along a side, for each map.
    n_features
        Of a flattened row.
    name
        Of the layer.

    Raises
    ------
    ConfigurationError
        There is no map or one that is too small; when it is built: rows have another number of
        features.
    """

    def __init__(
        self, sides: Sequence[int], n_features: int, name: str = "winner_coordinates"
    ) -> None:
        # Nodes closer than float32 can tell are merged; in half precision more would be mixed up.
        super().__init__(name=name, trainable=False, autocast=False, dtype="float32")
        if not sides or min(sides) < 2:
            raise ConfigurationError(
                f"sides={list(sides)}: pass the sides of maps, each 2 or more."
            )
        self.sides = tuple(int(side) for side in sides)
        self.n_features = int(n_features)

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Make the weights: zeros, until `set_maps` or a file fills them."""
        row_shape = tuple(input_shape[1:])
        if None in row_shape or math.prod(row_shape) != self.n_features:
            raise ConfigurationError(
                f"The maps are of rows of {self.n_features} features; got rows of shape "
                f"{row_shape}: train maps on such rows, flattened."
            )
        # One `NearestNode` for each map.
        self._products: list[tuple[Tensor, Tensor, Tensor]] = [
            (
                self._weight(f"centre_{i}", self.n_features),
                self._weight(f"kernel_{i}", self.n_features, side * side),
                self._weight(f"bias_{i}", side * side),
            )
            for i, side in enumerate(self.sides)
        ]

    def _weight(self, name: str, *shape: int) -> Tensor:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)

    def set_maps(self, maps: Sequence[FloatArray]) -> None:
        """Fill the weights; a layer that is not built yet is built for flat rows.

        Parameters
        ----------
        maps
            Float32 (S, S, F), with the sides of the layer in turn.

        Raises
        ------
        ConfigurationError
            They have other shapes.
        """
        found = [np.shape(weights) for weights in maps]
        wanted = [(side, side, self.n_features) for side in self.sides]
        if found != wanted:
            raise ConfigurationError(f"Maps of shapes {found}: the layer takes {wanted}.")
        if not self.built:
            self.build((None, self.n_features))
        for variables, weights in zip(self._products, maps, strict=True):
            for variable, value in zip(variables, nearest_node(weights), strict=True):
                variable.assign(value)

    def call(self, x: Tensor) -> Tensor:
        """Places of the winners of a batch."""
        rows = ops.cast(ops.reshape(x, (-1, self.n_features)), "float32")
        places = []
        for side, (centre, kernel, bias) in zip(self.sides, self._products, strict=True):
            nearness = ops.matmul(rows - centre, kernel) + bias
            places.append(ops.take(grid(side), first_largest(nearness), axis=0))
        return ops.concatenate(places, axis=-1)

    def get_config(self) -> dict[str, object]:
        """Keras configuration; the maps are weights."""
        return {"sides": list(self.sides), "n_features": self.n_features, "name": self.name}


def winner_net(
    maps: Sequence[FloatArray], row_shape: tuple[int, ...] | None = None
) -> keras.Sequential:
    """A net of one `WinnerCoordinates` with its weights set.

    Parameters
    ----------
    maps
        Float32 (S, S, F), each with its own S; of ``training.maps.train_maps``.
    row_shape
        Feature shape of the rows, whose product is F; None for (F,).

    Returns
    -------
    Prepared rows (N, ...) -> (N, 2 * maps) float32 in [0, 1]. It has nothing to train.

    Raises
    ------
    ConfigurationError
        There is no map, maps are not squares of nodes of equally many features, or rows of
        `row_shape` have another number.
    """
    n_features = np.shape(maps[0])[-1] if len(maps) else 0
    layer = WinnerCoordinates([len(weights) for weights in maps], n_features)
    net = keras.Sequential(
        [keras.Input(row_shape or (n_features,), dtype="float32"), layer], name="winners"
    )
    layer.set_maps(maps)
    return net
