"""Soft-assigned Gaussian mixtures: moments -> parameters -> energy.

Axes: N samples, K components, D features of `z`. All functions keep further axes in front, such as
the members of an ensemble. They are pure; results have the dtype of the arguments.
Formulas: Zong et al. (2018), "Deep Autoencoding Gaussian Mixture Model", ICLR, eq. 5-7.
"""

import functools
import math
from typing import NamedTuple

from keras import ops

from aegmm_detect.numerics import memberships
from aegmm_detect.numerics.cholesky import whitening
from aegmm_detect.numerics.memberships import effective_components, floor
from aegmm_detect.types import Batches, Tensor

__all__ = [
    "DEFAULT_REG",
    "GaussianMixture",
    "Moments",
    "effective_components",
    "energy",
    "inverse_variance",
    "log_prob",
    "merge",
    "mixture",
    "moments",
    "moments_of_all",
    "responsibilities",
]

# Jitter relative to a component's mean variance; absolute ones fail at other scales.
DEFAULT_REG = 1e-6


class Moments(NamedTuple):
    """Moments of a batch under memberships. `merge` adds two of them."""

    mass: Tensor  # (K,)       sum of memberships
    mean: Tensor  # (K, D)
    scatter: Tensor  # (K, D, D)  around `mean`, not yet divided by `mass`


class GaussianMixture(NamedTuple):
    """Parameters of the density of `z`."""

    phi: Tensor  # (K,)       weights, sum to 1
    mu: Tensor  # (K, D)
    cov: Tensor  # (K, D, D)  regularised, both for the penalty and for scores
    # (K, D, D)  W = inv(cholesky(cov)); W (z - mu) is white. Where W is diagonal: that, (K, D).
    whiten: Tensor


def moments(z: Tensor, gamma: Tensor) -> Moments:
    """Moments of `z` (N, D) under memberships `gamma` (N, K) whose rows sum to 1."""
    z, gamma = ops.convert_to_tensor(z), ops.convert_to_tensor(gamma)
    mass, mean, offsets = memberships.centred(z, gamma)
    scatter = ops.einsum("...nkd,...nke->...kde", gamma[..., None] * offsets, offsets)
    return Moments(mass, mean, scatter)


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of both batches together.

    Centred sums are exact enough in float32 (Chan et al. 1979); E[zz'] would not be.
    """
    mass = a.mass + b.mass
    share, delta = b.mass / floor(mass), b.mean - a.mean
    between = ops.einsum("...k,...kd,...ke->...kde", a.mass * share, delta, delta)
    return Moments(mass, a.mean + share[..., None] * delta, a.scatter + b.scatter + between)


def moments_of_all(batches: Batches) -> Moments:
    """Moments of all batches of (z, gamma) together, in one pass."""
    return functools.reduce(merge, (moments(z, gamma) for z, gamma in batches()))


def mixture(m: Moments, reg: float = DEFAULT_REG) -> GaussianMixture:
    """Parameters for `energy`; `reg` is relative to each component's mean variance."""
    cov, whiten = whitening(m.scatter / floor(m.mass)[..., None, None], reg)
    return GaussianMixture(memberships.weights(m.mass), m.mean, cov, whiten)


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
    log_phi = memberships.log_weights(params.phi)
    return (log_phi + log_norm)[..., None, :] - 0.5 * ops.sum(ops.square(white), axis=-1)


def energy(z: Tensor, params: GaussianMixture) -> Tensor:
    """Negative log-density of each row: `z` (N, D) -> (N,), in nats; higher is stranger.

    This is the sample energy of Zong et al. (ICLR 2018), eq. 6::

        E(z) = -log sum_k phi_k exp(-(z - mu_k)' Sigma_k^{-1} (z - mu_k) / 2)
                                / sqrt(|2 pi Sigma_k|)

    A density can exceed 1, so energies can be negative. No constant is added inside the logarithm,
    so that rows far from all components still have different energies.
    """
    return memberships.energy(log_prob(ops.convert_to_tensor(z), params))


def responsibilities(z: Tensor, params: GaussianMixture) -> Tensor:
    """Posterior memberships of `z` (N, D), (N, K): rows sum to 1."""
    return memberships.posterior(log_prob(ops.convert_to_tensor(z), params))


def inverse_variance(params: GaussianMixture) -> Tensor:
    """Penalty against collapsed components: sum of 1 / diag(cov), a scalar."""
    return ops.sum(1.0 / ops.diagonal(params.cov, axis1=-2, axis2=-1), axis=(-2, -1))
