"""What scoring graphs share: operations by runtime, rows that are not finite, a Keras layer."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import keras
from keras import ops

from aegmm_detect.nets.normalizer import scaled
from aegmm_detect.types import Tensor

# Score of finite rows whose score is not a number in float32: just under its largest number.
BEYOND = 3.4e38


@dataclasses.dataclass(frozen=True)
class Operations:
    """What runtimes of exported graphs have in other forms than TensorFlow.

    Parameters
    ----------
    isfinite, arcsinh
        Number by number.
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
        """Of the runtime."""

    def __call__(self, net: keras.Model, p: Any, x: Tensor, /) -> Tensor:
        """Scores of raw rows."""


def numbers_for_finite_rows(scores: Tensor, x: Tensor, operations: Operations) -> Tensor:
    """NaN for rows of `x` (N, ...) with NaN or infinity, a number for all others: (N,)."""
    isfinite = operations.isfinite
    finite = ops.all(isfinite(ops.cast(x, "float32")), axis=tuple(range(1, len(x.shape))))
    # Overflow on the way (a row 1e19 sigmas out) must not turn into NaN: it is an outlier.
    scores = ops.where(isfinite(scores), scores, BEYOND)
    return ops.where(finite, scores, float("nan"))


class ScoringGraph(keras.layers.Layer):
    """A score function with its net and parameters, as one Keras layer.

    Parameters
    ----------
    function
        Raw rows -> scores.
    net
        Prepared rows -> (x_recon, z, gamma).
    parameters
        As they are now.
    row_dtype
        Of the rows that it takes: one type for whatever a caller holds, so that it cannot change a
        score's last bit.
    """

    def __init__(
        self, function: RowFunction, net: keras.Model, parameters: Any, row_dtype: str
    ) -> None:
        super().__init__(name="scoring", autocast=False, dtype="float32")
        self.function = function
        self.net = net
        # In a function, as Keras would make weights of lists and count them as its own.
        self._parameters = lambda: parameters
        self.row_dtype = row_dtype

    @property
    def parameters(self) -> Any:
        """The numbers besides the net's."""
        return self._parameters()

    def call(self, x: Tensor) -> Tensor:
        """Scores of raw rows of `row_dtype`."""
        return self.function(self.net, self.parameters, x)
