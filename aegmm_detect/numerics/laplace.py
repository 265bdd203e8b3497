"""Soft-assigned Laplacian mixtures: absolute moments -> parameters -> energy.

Features are independent within a component, and each has a scale of its own:
p_k(z) = prod_d exp(-abs(z_d - mu_kd) / b_kd) / (2 b_kd). Tails fall off exponentially: far out, the
energy grows with the distance, and not with its square as under a Gaussian.

Axes: N samples, K components, D features of `z`. All functions keep further axes in front, such as
the members of an ensemble. They are pure; results have the dtype of the arguments.

Memberships, weights and loss are those of Zong et al. (2018), ICLR, eq. 5-7. The scale is the
maximum-likelihood estimate for a given location (Johnson, Kotz and Balakrishnan, 1995, "Continuous
Univariate Distributions", vol. 2, ch. 24). The location is the weighted mean, which has a gradient
for every row. The maximum-likelihood location would be the weighted median, which has one for a
single row.
"""

import functools
import math
from typing import NamedTuple

from keras import ops

from aegmm_detect.numerics import memberships
from aegmm_detect.numerics.gmm import DEFAULT_REG
from aegmm_detect.numerics.memberships import Location, floor
from aegmm_detect.types import Batches, Tensor

# Scale of a component of identical rows. Its inverse and the square of its inverse (the gradient of
# the penalty) are finite in float32. Its square is the floor of Gaussian variances.
SCALE_FLOOR = 1e-6
# Weight below which a component is empty: its location and scale come from rounding alone.
_EMPTY = 1e-12


class Moments(NamedTuple):
    """Absolute moments of rows. Two of them cannot be added, because their means differ."""

    mass: Tensor  # (K,)       sum of memberships
    mean: Tensor  # (K, D)
    deviation: Tensor  # (K, D)  sum of abs(z - mean), not yet divided by `mass`


class LaplacianMixture(NamedTuple):
    """Parameters of the density of `z`."""

    phi: Tensor  # (K,)       weights, sum to 1
    mu: Tensor  # (K, D)
    scale: Tensor  # (K, D)  b, with its floor, both for the penalty and for scores


def moments(z: Tensor, gamma: Tensor) -> Moments:
    """Moments of `z` (N, D) under memberships `gamma` (N, K) whose rows sum to 1."""
    z, gamma = ops.convert_to_tensor(z), ops.convert_to_tensor(gamma)
    mass, mean, offsets = memberships.centred(z, gamma)
    return Moments(mass, mean, _total(gamma, offsets))


def deviation(z: Tensor, gamma: Tensor, mean: Tensor) -> Tensor:
    """Sums (K, D) of abs(z - mean) under `gamma`. Add those of several batches."""
    return _total(gamma, z[..., None, :] - mean[..., None, :, :])


def moments_of_all(batches: Batches) -> Moments:
    """Moments of all batches of (z, gamma) together, in two passes: means, then deviations."""
    each = (memberships.location(z, gamma) for z, gamma in batches())
    whole: Location = functools.reduce(memberships.merge, each)
    deviations = (deviation(z, gamma, whole.mean) for z, gamma in batches())
    return Moments(*whole, functools.reduce(ops.add, deviations))


def mixture(m: Moments, reg: float = DEFAULT_REG) -> LaplacianMixture:
    """Parameters for `energy`.

    Parameters
    ----------
    m
        Absolute moments.
    reg
        Least variance, relative to the mean variance of a component: a scale is at least sqrt(reg)
        times the mean scale of its component. Default 1e-6, as for the Gaussian mixture.
    """
    scale = m.deviation / floor(m.mass)[..., None]
    least = math.sqrt(reg) * ops.mean(scale, axis=-1, keepdims=True)
    scale = ops.maximum(ops.maximum(scale, least), SCALE_FLOOR)
    return LaplacianMixture(memberships.weights(m.mass), m.mean, scale)


def log_prob(z: Tensor, params: LaplacianMixture) -> Tensor:
    """Log of each weighted component's density: `z` (N, D) -> (N, K), in nats."""
    distance = ops.abs(z[..., None, :] - params.mu[..., None, :, :]) / params.scale[..., None, :, :]
    log_norm = -ops.sum(ops.log(2.0 * params.scale), axis=-1)
    log_phi = memberships.log_weights(params.phi)
    return (log_phi + log_norm)[..., None, :] - ops.sum(distance, axis=-1)


def energy(z: Tensor, params: LaplacianMixture) -> Tensor:
    """Negative log-density of each row: `z` (N, D) -> (N,), in nats; higher is stranger.

    E(z) = -log sum_k phi_k prod_d exp(-abs(z_d - mu_kd) / b_kd) / (2 b_kd). Nothing is added inside
    the logarithm, so far rows have different energies.
    """
    return memberships.energy(log_prob(ops.convert_to_tensor(z), params))


def responsibilities(z: Tensor, params: LaplacianMixture) -> Tensor:
    """Posterior memberships of `z` (N, D), (N, K): rows sum to 1."""
    return memberships.posterior(log_prob(ops.convert_to_tensor(z), params))


def inverse_scale(params: LaplacianMixture) -> Tensor:
    """Penalty against collapsed components: sum of 1 / b over those that hold rows, a scalar."""
    used = (params.phi > _EMPTY)[..., None]
    return ops.sum(ops.where(used, 1.0 / params.scale, 0.0), axis=(-2, -1))


def _total(gamma: Tensor, offsets: Tensor) -> Tensor:
    # The gradient of |x| at 0 is 0 here, never NaN.
    return ops.einsum("...nk,...nkd->...kd", gamma, ops.abs(offsets))
