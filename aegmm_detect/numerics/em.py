"""Expectation-maximisation on standardised rows, started from k-means, for each kind of mixture.

Axes: N samples, K components, D features, each of mean 0 and variance 1. In NumPy, float64.
"""

from typing import Literal

import numpy as np
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from aegmm_detect.numerics.memberships import LEAST_MASS
from aegmm_detect.numerics.scoring_laplacian import ScoringLaplacian
from aegmm_detect.numerics.scoring_mixture import ScoringMixture
from aegmm_detect.types import FloatArray

Covariance = Literal["full", "diag"]

# The last digits of the likelihood do not change the order of scores, and 100 steps take minutes.
_MAX_STEPS = 30
# A smaller change of the mean energy, in nats, ends the fit: scikit-learn's `tol`.
_PROGRESS = 1e-3


def fit_gaussian(
    z: FloatArray,
    n_components: int,
    reg: float,
    seed: int | None,
    covariance: Covariance = "full",
) -> ScoringMixture:
    """Fit a Gaussian mixture by scikit-learn.

    Parameters
    ----------
    z
        Standardised rows, (N, D).
    n_components
        At most N.
    reg
        Added to the variances.
    seed
        Random state of the start.
    covariance
        'full' or 'diag'.
    """
    mixture = GaussianMixture(
        n_components,
        covariance_type=covariance,
        reg_covar=reg,
        max_iter=_MAX_STEPS,
        random_state=seed,
    ).fit(z)
    cov, whiten = mixture.covariances_, mixture.precisions_cholesky_
    if covariance == "diag":
        cov, whiten = (values[:, :, None] * np.eye(z.shape[1]) for values in (cov, whiten))
    return ScoringMixture(mixture.weights_, mixture.means_, cov, whiten.swapaxes(1, 2))


def fit_laplacian(
    z: FloatArray, n_components: int, reg: float, seed: int | None
) -> ScoringLaplacian:
    """Fit a Laplacian mixture with weighted means for locations, as in training.

    Scales and weights maximise the likelihood for these locations. So the likelihood can fall a
    little where a mean is far from the median. The fit ends when the mean energy hardly changes.

    Parameters
    ----------
    z
        Standardised rows, (N, D).
    n_components
        At most N.
    reg
        Least variance 2 b^2 of a feature within a component.
    seed
        Random state of the start.
    """
    labels = KMeans(n_components, n_init=1, random_state=seed).fit(z).labels_
    gamma = np.eye(n_components)[labels]
    before = np.inf
    for _ in range(_MAX_STEPS):
        fitted, log_prob = _step(z, gamma, np.sqrt(0.5 * reg))
        log_density = np.logaddexp.reduce(log_prob, axis=1)
        energy = -log_density.mean()
        if abs(before - energy) < _PROGRESS:
            break
        before, gamma = energy, np.exp(log_prob - log_density[:, None])
    return fitted


def _step(z: FloatArray, gamma: FloatArray, least: float) -> tuple[ScoringLaplacian, FloatArray]:
    """Parameters under `gamma` (N, K), and the logs of the weighted components' densities, (N, K).

    One component at a time: its deviations (N, D) serve for both.
    """
    mass = np.maximum(gamma.sum(axis=0), LEAST_MASS)
    phi = mass / mass.sum()
    mu = gamma.T @ z / mass[:, None]
    scale, log_prob = np.empty_like(mu), np.empty_like(gamma)
    for k, own in enumerate(gamma.T):
        deviations = np.abs(z - mu[k])
        scale[k] = np.maximum(own @ deviations / mass[k], least)
        log_prob[:, k] = np.log(phi[k]) - np.log(2.0 * scale[k]).sum() - deviations @ (1 / scale[k])
    return ScoringLaplacian(phi, mu, scale), log_prob
