"""Common parts of scoring graphs: operations by runtime, non-finite rows, a Keras layer."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import keras
from keras import ops

from aegmm_detect.nets.normalizer import scaled
from aegmm_detect.types import Tensor

# Score of finite rows whose score overflows float32: just below the largest float32 number.
BEYOND = 3.4e38


@dataclasses.dataclass(frozen=True)
class Operations:
    """Operations that some runtimes of exported graphs need in another form than TensorFlow.

    Parameters
    ----------
    isfinite, arcsinh
        Elementwise functions.
    scaled
        Function of (rows, offset, scale, squash): see `aegmm_detect.nets.normalizer.scaled`.
    """

    isfinite: Callable[[Tensor], Tensor] = ops.isfinite
    arcsinh: Callable[[Tensor], Tensor] = ops.arcsinh
    scaled: Callable[..., Tensor] = scaled


TENSORFLOW = Operations()


class RowFunction(Protocol):
    """Function of a net, parameters and raw rows (N, ...) that returns scores (N,)."""

    @property
    def operations(self) -> Operations:
        """Operations of the runtime."""

    def __call__(self, net: keras.Model, p: Any, x: Tensor, /) -> Tensor:
        """Scores of raw rows."""


def numbers_for_finite_rows(scores: Tensor, x: Tensor, operations: Operations) -> Tensor:
    """Scores (N,) with NaN for rows of `x` (N, ...) that hold NaN or infinity, else a number."""
    isfinite = operations.isfinite
    finite = ops.all(isfinite(ops.cast(x, "float32")), axis=tuple(range(1, len(x.shape))))
    # If a score overflows (a row 1e19 sigmas out), it must not be NaN: the row is an outlier.
    scores = ops.where(isfinite(scores), scores, BEYOND)
    return ops.where(finite, scores, float("nan"))


class ScoringGraph(keras.layers.Layer):
    """A score function with its net and parameters, as one Keras layer.

    Parameters
    ----------
    function
        Function of (net, parameters, raw rows) that returns scores.
    net
        The detector's model.
    parameters
        The function's numbers besides the net's weights.
    row_dtype
        Dtype of its input. Rows of any dtype are cast to it, so that the dtype of a caller's rows
        cannot change the last bit of a score.
    """

    def __init__(
        self, function: RowFunction, net: keras.Model, parameters: Any, row_dtype: str
    ) -> None:
        super().__init__(name="scoring", autocast=False, dtype="float32")
        self.function = function
        self.net = net
        # Hide them in a function: Keras would track arrays in lists as weights of this layer.
        self._parameters = lambda: parameters
        self.row_dtype = row_dtype

    @property
    def parameters(self) -> Any:
        """The numbers that the function needs besides the net's weights."""
        return self._parameters()

    def call(self, x: Tensor) -> Tensor:
        """Scores of raw rows of `row_dtype`."""
        return self.function(self.net, self.parameters, x)
