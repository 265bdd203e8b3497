"""What mixtures of every kind do with memberships: masses, means, logarithms of weights.

Axes: N samples, K components, D features of `z`; any axes before these are kept: the members of an
ensemble. Pure; dtype in is dtype out.
"""

from typing import NamedTuple

from keras import ops

from aegmm_detect.types import Tensor

# A component nobody chose has mass 0; keep its row finite instead of NaN.
LEAST_MASS = 1e-12


class Location(NamedTuple):
    """How much of a batch each component holds, and where that lies."""

    mass: Tensor  # (K,)    sum of memberships
    mean: Tensor  # (K, D)


class Centred(NamedTuple):
    """A batch around its components' means."""

    mass: Tensor  # (K,)
    mean: Tensor  # (K, D)
    offsets: Tensor  # (N, K, D)  z - mean, of more digits than the two together have


def floor(x: Tensor) -> Tensor:
    """`x`, at least so much that it can be divided by."""
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
    """Both batches together."""
    mass = a.mass + b.mass
    share = b.mass / floor(mass)
    return Location(mass, a.mean + share[..., None] * (b.mean - a.mean))


def weights(mass: Tensor) -> Tensor:
    """Weights phi (K,) of components, which sum to 1."""
    return mass / floor(ops.sum(mass, axis=-1, keepdims=True))


def log_weights(phi: Tensor) -> Tensor:
    """Logarithms of `phi` (K,), finite and with a finite gradient."""
    # An empty component has a spread at its floor: the spike of density at its centre must not
    # count. Not -inf, whose gradient is NaN.
    used = phi > 0.0
    return ops.where(used, ops.log(ops.where(used, phi, 1.0)), -1e4)


def energy(log_prob: Tensor) -> Tensor:
    """Negative log-density of rows by the logs of each weighted component's, (N, K) -> (N,)."""
    return -ops.logsumexp(log_prob, axis=-1)


def posterior(log_prob: Tensor) -> Tensor:
    """Memberships (N, K) by the same logs; rows sum to 1."""
    return ops.exp(log_prob - ops.logsumexp(log_prob, axis=-1, keepdims=True))


def effective_components(phi: Tensor) -> Tensor:
    """exp(entropy of `phi` (K,)): K for equal weights, 1 when one component holds every row."""
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
