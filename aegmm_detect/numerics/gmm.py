"""Soft-assigned Gaussian mixtures: moments -> parameters -> energy.

Axes: N samples, K components, D features of `z`. Every function takes more axes before these and
treats them alike: the members of an ensemble. Pure; dtype in is dtype out.
Formulas: Zong et al. (2018), "Deep Autoencoding Gaussian Mixture Model", ICLR, eq. 5-7.
"""

import math
from typing import NamedTuple

from keras import ops

from aegmm_detect.numerics.cholesky import whitening
from aegmm_detect.types import Tensor

# Jitter relative to a component's mean variance; absolute ones fail at other scales.
DEFAULT_REG = 1e-6


class Moments(NamedTuple):
    """What a batch knows of a mixture; `merge` adds two of them."""

    mass: Tensor  # (K,)       sum of memberships
    mean: Tensor  # (K, D)
    scatter: Tensor  # (K, D, D)  around `mean`, not yet divided by `mass`


class GaussianMixture(NamedTuple):
    """Parameters of the density of `z`."""

    phi: Tensor  # (K,)       weights, sum to 1
    mu: Tensor  # (K, D)
    cov: Tensor  # (K, D, D)  regularised: what is penalised is what is scored
    # (K, D, D)  W = inv(cholesky(cov)); W (z - mu) is white. Where W is diagonal: that, (K, D).
    whiten: Tensor


def moments(z: Tensor, gamma: Tensor) -> Moments:
    """Moments of `z` (N, D) under memberships `gamma` (N, K) whose rows sum to 1."""
    z, gamma = ops.convert_to_tensor(z), ops.convert_to_tensor(gamma)
    mass = ops.sum(gamma, axis=-2)
    # Sums around the batch's own mean keep their digits when every value is near 1e6.
    # A batch without rows has no mean; its moments must still merge to no change.
    n_rows = ops.cast(ops.maximum(ops.shape(z)[-2], 1), z.dtype)
    origin = ops.stop_gradient(ops.sum(z, axis=-2, keepdims=True) / n_rows)
    mean = ops.matmul(ops.swapaxes(gamma, -1, -2), z - origin) / _floor(mass)[..., None]
    centred = (z - origin)[..., None, :] - mean[..., None, :, :]  # (N, K, D)
    scatter = ops.einsum("...nkd,...nke->...kde", gamma[..., None] * centred, centred)
    return Moments(mass, origin + mean, scatter)


def merge(a: Moments, b: Moments) -> Moments:
    """Both batches together. Centred sums survive float32 (Chan et al. 1979); E[zz'] does not."""
    mass = a.mass + b.mass
    share, delta = b.mass / _floor(mass), b.mean - a.mean
    between = ops.einsum("...k,...kd,...ke->...kde", a.mass * share, delta, delta)
    return Moments(mass, a.mean + share[..., None] * delta, a.scatter + b.scatter + between)


def mixture(m: Moments, reg: float = DEFAULT_REG) -> GaussianMixture:
    """Parameters for `energy`; `reg` is relative to each component's mean variance."""
    cov, whiten = whitening(m.scatter / _floor(m.mass)[..., None, None], reg)
    phi = m.mass / _floor(ops.sum(m.mass, axis=-1, keepdims=True))
    return GaussianMixture(phi, m.mean, cov, whiten)


def log_prob(z: Tensor, params: GaussianMixture) -> Tensor:
    """Log of each weighted component's density: `z` (N, D) -> (N, K), in nats."""
    centred = z[..., None, :] - params.mu[..., None, :, :]
    if len(params.whiten.shape) == len(params.mu.shape):
        diagonal = params.whiten
        white = diagonal[..., None, :, :] * centred
    else:
        diagonal = ops.diagonal(params.whiten, axis1=-2, axis2=-1)
        white = ops.einsum("...kde,...nke->...nkd", params.whiten, centred)
    half_log_det = ops.sum(ops.log(diagonal), axis=-1)
    log_norm = half_log_det - 0.5 * z.shape[-1] * math.log(2.0 * math.pi)
    # An empty component has a covariance at its floor: the spike of density at its centre must not
    # count. Not -inf, whose gradient is NaN.
    used = params.phi > 0.0
    log_phi = ops.where(used, ops.log(ops.where(used, params.phi, 1.0)), -1e4)
    return (log_phi + log_norm)[..., None, :] - 0.5 * ops.sum(ops.square(white), axis=-1)


def energy(z: Tensor, params: GaussianMixture) -> Tensor:
    """Negative log-density of each row: `z` (N, D) -> (N,), in nats; higher is stranger.

    A density can exceed 1, so energies can be negative. Far rows keep distinct energies: nothing
    is added inside the logarithm.
    """
    return -ops.logsumexp(log_prob(ops.convert_to_tensor(z), params), axis=-1)


def responsibilities(z: Tensor, params: GaussianMixture) -> Tensor:
    """Posterior memberships of `z` (N, D), (N, K): rows sum to 1."""
    logs = log_prob(ops.convert_to_tensor(z), params)
    return ops.exp(logs - ops.logsumexp(logs, axis=-1, keepdims=True))


def inverse_variance(params: GaussianMixture) -> Tensor:
    """Penalty against collapsed components: sum of 1 / diag(cov), a scalar."""
    return ops.sum(1.0 / ops.diagonal(params.cov, axis1=-2, axis2=-1), axis=(-2, -1))


def effective_components(phi: Tensor) -> Tensor:
    """exp(entropy of `phi` (K,)): K for equal weights, 1 when one component holds every row."""
    return ops.exp(-ops.sum(phi * ops.log(_floor(phi))))


def _floor(x: Tensor) -> Tensor:
    # A component nobody chose has mass 0; keep its row finite instead of NaN.
    return ops.maximum(x, 1e-12)
