"""Laplacian mixtures by expectation-maximisation; the Gaussian ones: tests/training/test_refit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp

from aegmm_detect.numerics import em, laplace

bounded = settings(max_examples=10)
REG = 1e-3


def two_clumps(seed=0, n=4000):
    """Rows of a known mixture, standardised, and its weights, locations and scales."""
    rng = np.random.default_rng(seed)
    phi, mu = np.array([0.3, 0.7]), np.array([[-4.0, 2.0, 0.0], [3.0, 0.0, 1.0]])
    scale = np.array([[0.5, 1.0, 0.3], [1.0, 0.4, 0.8]])
    which = rng.choice(2, size=n, p=phi)
    z = rng.laplace(mu[which], scale[which])
    centre, width = z.mean(axis=0), z.std(axis=0)
    return (z - centre) / width, phi, (mu - centre) / width, scale / width


@given(seed=st.integers(0, 2**31 - 1), n=st.integers(1, 80), n_dim=st.integers(1, 6))
@bounded
def test_one_component_has_the_mean_and_the_mean_absolute_deviation(seed, n, n_dim):
    z = np.random.default_rng(seed).laplace(size=(n, n_dim))
    mixture = em.fit_laplacian(z, 1, REG, seed)
    np.testing.assert_allclose(mixture.mu[0], z.mean(axis=0), rtol=1e-9, atol=1e-12)
    want = np.maximum(np.abs(z - z.mean(axis=0)).mean(axis=0), np.sqrt(REG / 2))
    np.testing.assert_allclose(mixture.scale[0], want, rtol=1e-9)
    np.testing.assert_array_equal(mixture.phi, [1.0])


@pytest.mark.parametrize("seed", range(3))
def test_the_mixture_that_made_the_rows_is_found(seed):
    z, phi, mu, scale = two_clumps(seed)
    found = em.fit_laplacian(z, 2, REG, seed)
    order = np.argsort(found.phi)
    # Some 1,200 rows in the smaller one: four standard errors of a mean are .16 scales.
    np.testing.assert_allclose(found.phi[order], phi, atol=0.03)
    np.testing.assert_allclose(found.mu[order], mu, atol=0.16 * scale.max())
    np.testing.assert_allclose(found.scale[order], scale, rtol=0.15)
    # As likely as under the truth, and more likely than under Gaussians.
    parts = [stats.laplace(m, b).logpdf(z).sum(axis=1) for m, b in zip(mu, scale, strict=True)]
    truth = -logsumexp(np.log(phi)[:, None] + parts, axis=0).mean()
    assert found.energy(z).mean() < truth + 0.01
    assert found.energy(z).mean() < em.fit_gaussian(z, 2, REG, seed, "diag").energy(z).mean()


def test_a_fit_that_has_settled_is_the_estimate_of_its_own_memberships():
    z, *_ = two_clumps()
    found = em.fit_laplacian(z, 2, REG, 0)
    params = laplace.LaplacianMixture(found.phi, found.mu, found.scale)
    again = laplace.mixture(laplace.moments(z, laplace.responsibilities(z, params)))
    for got, want in zip(again, params, strict=True):
        np.testing.assert_allclose(got, want, rtol=0.02, atol=0.01)


def test_the_seed_decides_the_start_and_nothing_else_does():
    z = np.random.default_rng(0).uniform(size=(300, 3))  # no clumps
    first, again, other = (em.fit_laplacian(z, 6, REG, seed) for seed in (1, 1, 2))
    for name in first.names():
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.mu != other.mu).any()


@pytest.mark.parametrize("reg", [1e-6, 1e-3, 0.1])
def test_no_variance_falls_below_the_least(reg):
    z, *_ = two_clumps(n=400)
    z[:, 1] = 0.0
    scale = em.fit_laplacian(z, 3, reg, 0).scale
    np.testing.assert_allclose(2 * scale[:, 1] ** 2, reg)
    assert (2 * scale**2 >= reg * (1 - 1e-9)).all()


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize(("n", "repeats", "n_components"), [(4, 1, 4), (2, 1, 2), (4, 30, 10)])
def test_few_rows_and_duplicated_ones_can_be_fitted(n, repeats, n_components):
    z = np.repeat(np.random.default_rng(0).laplace(size=(n, 3)), repeats, axis=0)
    mixture = em.fit_laplacian(z, n_components, REG, 0)
    assert len(mixture.phi) == n_components
    assert mixture.phi.sum() == pytest.approx(1)
    assert np.isfinite(mixture.energy(z)).all()


def test_rows_far_out_move_the_fit_less_than_a_gaussian_one():
    """By how much a handful of them raises the spread of the one component."""
    z = np.random.default_rng(0).normal(size=(1000, 2))
    spoiled = np.vstack([z, np.full((5, 2), 100.0)])
    scales = [em.fit_laplacian(rows, 1, REG, 0).scale[0] for rows in (z, spoiled)]
    deviations = [
        em.fit_gaussian(rows, 1, REG, 0).cov[0].diagonal() ** 0.5 for rows in (z, spoiled)
    ]
    assert (scales[1] / scales[0] < 0.5 * deviations[1] / deviations[0]).all()
