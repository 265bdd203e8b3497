"""Features of a reconstruction: how far `x_recon` is from `x`, row by row.

Every feature takes inputs (N, ...) and reconstructions (N, ...) of one shape, flattens them, and
returns (N, F). A user's own function can have the same signature. Values and gradients of all are
finite, also for zero rows and for exact reconstructions.

======================  ==============================================  ======================
function                value                                           order and sign
======================  ==============================================  ======================
`euclidean`             ||x - x'||                                      0 is perfect, grows
`log_euclidean`         log(||x - x'|| + 1e-3)                          log 1e-3 is perfect
`relative_euclidean`    ||x - x'|| / min(||x||, ||x'||), at most 100    0 is perfect, grows
`mean_squared`          mean of (x - x')^2                              0 is perfect, grows
`negative_cosine`       -cos(x, x')                                     -1 perfect, 1 opposite
`eucl_cosim_features`   [`negative_cosine`, `relative_euclidean`]       the default
======================  ==============================================  ======================
"""

import math

import keras
from keras import ops

from aegmm_detect.types import ReconFeatures, Tensor

# Upper limit of the relative distance. Otherwise the feature, and with it the covariance of the
# mixture, could be 1e12 for a row near zero.
RELATIVE_LIMIT = 100.0
_SMALLEST_NORM = 1e-12
# Below this residual (in units of the inputs) the logarithm saturates: float32 reconstructions of
# standardised inputs are not exact to better than that, and differences there carry no signal.
_LOG_FLOOR = 1e-3

_register = keras.saving.register_keras_serializable("aegmm_detect")


def squared_error(x: Tensor, x_recon: Tensor) -> Tensor:
    """Sum of (x - x')^2 over a row, (N, 1)."""
    return _row_sum(ops.square(_flat(x) - _flat(x_recon)))


@_register
def euclidean(x: Tensor, x_recon: Tensor) -> Tensor:
    """Euclidean residual ||x - x'||, (N, 1)."""
    return _root(squared_error(x, x_recon))


@_register
def log_euclidean(x: Tensor, x_recon: Tensor) -> Tensor:
    """Log residual log(||x - x'|| + 1e-3), (N, 1): Gaussian-like where residuals are skewed."""
    return ops.log(euclidean(x, x_recon) + _LOG_FLOOR)


@_register
def relative_euclidean(x: Tensor, x_recon: Tensor, limit: float = RELATIVE_LIMIT) -> Tensor:
    """Relative residual ||x - x'|| / max(min(||x||, ||x'||), 1e-12), (N, 1), at most `limit`."""
    smaller = ops.minimum(_norm(_flat(x)), _norm(_flat(x_recon)))
    ratio = euclidean(x, x_recon) / ops.maximum(smaller, _SMALLEST_NORM)
    return ops.clip(ratio, 0.0, limit)


@_register
def mean_squared(x: Tensor, x_recon: Tensor) -> Tensor:
    """Mean squared error over the features of a row, (N, 1)."""
    return squared_error(x, x_recon) / math.prod(x.shape[1:])


@_register
def negative_cosine(x: Tensor, x_recon: Tensor) -> Tensor:
    """Negative cosine similarity -<x, x'> / (||x|| ||x'||), (N, 1); 0 if either row is zero."""
    x, x_recon = _flat(x), _flat(x_recon)
    norms = _norm(x) * _norm(x_recon)
    # A floor instead of this switch would give a zero row a gradient of one over the floor.
    norms = ops.where(norms > 0.0, norms, 1.0)
    return -_row_sum(x * x_recon) / norms


@_register
def eucl_cosim_features(x: Tensor, x_recon: Tensor, max_eucl: float = RELATIVE_LIMIT) -> Tensor:
    """`[negative_cosine, relative_euclidean]`, (N, 2): the default of `OutlierAEGMM`.

    Order and sign are those of alibi-detect. The second feature is at most `max_eucl`. For a
    detector with another limit than 100, write a function of your own that passes it on: a saved
    detector has the name of its function, but no arguments.
    """
    distance = relative_euclidean(x, x_recon, max_eucl)
    return ops.concatenate([negative_cosine(x, x_recon), distance], axis=-1)


@_register
def eucl_cosim_features_alibi(x: Tensor, x_recon: Tensor) -> Tensor:
    """Reproduce the features of alibi-detect 0.7-0.13, (N, 2); for old scores only.

    There the relative distance divides by (smaller norm - 1), which is a bug. It is 0 where a norm
    is below 1 and very large just above. For new detectors, take `eucl_cosim_features`.
    """
    smaller = ops.minimum(_norm(_flat(x)), _norm(_flat(x_recon))) - 1.0
    # Exactly 1 is the pole: its limit from above, clipped, is 100.
    smaller = ops.where(ops.abs(smaller) < _SMALLEST_NORM, _SMALLEST_NORM, smaller)
    slipped = ops.clip(euclidean(x, x_recon) / smaller, 0.0, RELATIVE_LIMIT)
    return ops.concatenate([negative_cosine(x, x_recon), slipped], axis=-1)


@_register
class Concat:
    """Several feature functions side by side; `concat` makes one.

    It is a class and not a closure, so that detectors with it can be saved and compared.
    """

    def __init__(self, functions: tuple[ReconFeatures, ...]) -> None:
        self.functions = functions

    def __call__(self, x: Tensor, x_recon: Tensor) -> Tensor:
        return ops.concatenate([function(x, x_recon) for function in self.functions], axis=-1)

    def __repr__(self) -> str:
        return f"concat({', '.join(getattr(f, '__name__', repr(f)) for f in self.functions)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Concat) and self.functions == other.functions

    def __hash__(self) -> int:
        return hash(self.functions)

    def get_config(self) -> dict[str, object]:
        """Keras configuration: the serialised functions, with their registered names."""
        serialize = keras.saving.serialize_keras_object
        return {"functions": [serialize(function) for function in self.functions]}

    @classmethod
    def from_config(cls, config: dict[str, list[dict[str, object]]]) -> "Concat":
        """Inverse of `get_config`."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(tuple(deserialize(function) for function in config["functions"]))


def concat(*functions: ReconFeatures) -> Concat:
    """Features of several functions side by side, in the order given.

    Parameters
    ----------
    *functions
        Functions of (x, x_recon), each returning (N, F_i).

    Returns
    -------
    A function of (x, x_recon) that returns (N, sum of F_i).
    """
    return Concat(functions)


def per_member(
    function: ReconFeatures, x: Tensor, x_recon: Tensor, stacked: bool | None = None
) -> Tensor:
    """Features of one reconstruction, (N, F), or of those of M members, (M, N, F).

    Parameters
    ----------
    function
        Row by row: (N, ...), (N, ...) -> (N, F).
    x
        Inputs, (N, ...), or (M, N, ...) if every member has rows of its own.
    x_recon
        Reconstructions, (N, ...) or (M, N, ...).
    stacked
        Whether `x_recon` has the members' axis. Default: whether it has one axis more than `x`.
    """
    if not (len(x_recon.shape) > len(x.shape) if stacked is None else stacked):
        return function(x, x_recon)
    rows = ops.broadcast_to(x, ops.shape(x_recon))
    flat = (-1, *x_recon.shape[2:])
    features = function(ops.reshape(rows, flat), ops.reshape(x_recon, flat))
    return ops.reshape(features, (x_recon.shape[0], -1, features.shape[-1]))


def _flat(x: Tensor) -> Tensor:
    x = ops.convert_to_tensor(x)
    return x if len(x.shape) == 2 else ops.reshape(x, (-1, math.prod(x.shape[1:])))


def _norm(x: Tensor) -> Tensor:
    return _root(_row_sum(ops.square(x)))


def _row_sum(x: Tensor) -> Tensor:
    """Sums of the rows of `x` (N, D), (N, 1).

    This is a product with ones. XLA's own reduction is four times slower on CPUs, and would take a
    quarter of the time of a training step.
    """
    return ops.matmul(x, ops.ones((x.shape[1], 1), dtype=x.dtype))


def _root(squared: Tensor) -> Tensor:
    """Square root, with gradient 0 in place of infinity at 0."""
    positive = squared > 0.0
    return ops.where(positive, ops.sqrt(ops.where(positive, squared, 1.0)), 0.0)
