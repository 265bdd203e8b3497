"""Functions of memberships for all kinds of mixture: masses, means, logarithms of weights.

Axes: N samples, K components, D features of `z`. All functions keep further axes in front, such as
the members of an ensemble. They are pure; results have the dtype of the arguments.
"""

from typing import NamedTuple

from keras import ops

from aegmm_detect.types import Tensor

# An empty component has mass 0. This keeps its mean finite.
LEAST_MASS = 1e-12


class Location(NamedTuple):
    """Mass and mean of each component."""

    mass: Tensor  # (K,)    sum of memberships
    mean: Tensor  # (K, D)


class Centred(NamedTuple):
    """A batch, centred at the mean of each component."""

    mass: Tensor  # (K,)
    mean: Tensor  # (K, D)
    offsets: Tensor  # (N, K, D)  z - mean, more exact than the difference of the two


def floor(x: Tensor) -> Tensor:
    """`x`, or a small positive number where `x` is smaller: safe to divide by."""
    return ops.maximum(x, LEAST_MASS)


def centred(z: Tensor, gamma: Tensor) -> Centred:
    """`z` (N, D) around its means under memberships `gamma` (N, K) whose rows sum to 1."""
    mass, origin, mean = _means(z, gamma)
    offsets = (z - origin)[..., None, :] - mean[..., None, :, :]
    return Centred(mass, origin + mean, offsets)


def location(z: Tensor, gamma: Tensor) -> Location:
    """Masses and means of `z` (N, D) under memberships `gamma` (N, K) whose rows sum to 1."""
    mass, origin, mean = _means(z, gamma)
    return Location(mass, origin + mean)


def merge(a: Location, b: Location) -> Location:
    """Masses and means of both batches together."""
    mass = a.mass + b.mass
    share = b.mass / floor(mass)
    return Location(mass, a.mean + share[..., None] * (b.mean - a.mean))


def weights(mass: Tensor) -> Tensor:
    """Weights phi (K,) of components, which sum to 1."""
    return mass / floor(ops.sum(mass, axis=-1, keepdims=True))


def log_weights(phi: Tensor) -> Tensor:
    """Logarithms of `phi` (K,), finite and with a finite gradient."""
    # The spread of an empty component is at its floor, and the spike of density at its centre must
    # not count. The logarithm is not -inf, because then the gradient would be NaN.
    used = phi > 0.0
    return ops.where(used, ops.log(ops.where(used, phi, 1.0)), -1e4)


def energy(log_prob: Tensor) -> Tensor:
    """Negative log-density of rows from `log_prob` of weighted components, (N, K) -> (N,)."""
    return -ops.logsumexp(log_prob, axis=-1)


def posterior(log_prob: Tensor) -> Tensor:
    """Memberships (N, K) from `log_prob` of weighted components; rows sum to 1."""
    return ops.exp(log_prob - ops.logsumexp(log_prob, axis=-1, keepdims=True))


def effective_components(phi: Tensor) -> Tensor:
    """exp(entropy of `phi` (K,)): K for equal weights, 1 if one component holds every row."""
    return ops.exp(-ops.sum(phi * ops.log(floor(phi))))


def _means(z: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Masses (K,), an origin (1, D), and the components' means seen from there, (K, D)."""
    mass = ops.sum(gamma, axis=-2)
    # Sums around the batch's own mean keep their digits when every value is near 1e6.
    # A batch without rows has no mean; its moments must still merge to no change.
    n_rows = ops.cast(ops.maximum(ops.shape(z)[-2], 1), z.dtype)
    origin = ops.stop_gradient(ops.sum(z, axis=-2, keepdims=True) / n_rows)
    mean = ops.matmul(ops.swapaxes(gamma, -1, -2), z - origin) / floor(mass)[..., None]
    return mass, origin, mean
