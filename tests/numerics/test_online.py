"""Mixtures that merge with new rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import multivariate_normal

from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.online import faded, merged
from aegmm_detect.numerics.scoring_mixture import ScoringMixture

bounded = settings(max_examples=25)
SEEDS = st.integers(0, 2**32 - 1)


def one(z):
    """A single Gaussian of `z`, in one pass."""
    return ScoringMixture.from_moments(gmm.moments(z, np.ones((len(z), 1))), reg=1e-12)


def several(seed, k=3, d=2):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(k, d, d)) + 2 * np.eye(d)
    cov = factors @ factors.swapaxes(1, 2)
    whiten = np.linalg.inv(np.linalg.cholesky(cov))
    return ScoringMixture(rng.dirichlet(np.ones(k)), 3 * rng.normal(size=(k, d)), cov, whiten)


@given(seed=SEEDS, n_old=st.integers(20, 80), n_new=st.integers(1, 80))
@bounded
def test_with_one_component_merging_is_one_pass(seed, n_old, n_new):
    z = np.random.default_rng(seed).normal(size=(n_old + n_new, 3)) @ np.diag([1, 10, 0.1]) + 5
    old, new = z[:n_old], z[n_old:]
    got, want = merged(one(old), n_old, one(old).moments(new)), one(z)
    np.testing.assert_allclose(got.mu, want.mu, rtol=1e-9)
    np.testing.assert_allclose(got.cov, want.cov, rtol=1e-4, atol=1e-4)
    assert got.phi == [1.0]


@given(seed=SEEDS, n=st.integers(1, 60))
@bounded
def test_memberships_are_the_posterior_of_scipys_densities(seed, n):
    mixture = several(seed)
    z = np.random.default_rng(seed).normal(size=(n, 2)) * 4
    logs = [
        np.log(share) + multivariate_normal(mean, cov).logpdf(z)
        for share, mean, cov in zip(mixture.phi, mixture.mu, mixture.cov, strict=True)
    ]
    gamma = softmax(np.reshape(logs, (3, n)).T, axis=1)
    np.testing.assert_allclose(mixture.moments(z).mass, gamma.sum(axis=0), rtol=1e-7, atol=1e-12)
    together = merged(mixture, 100.0, mixture.moments(z))
    want = (100.0 * mixture.phi + gamma.sum(axis=0)) / (100.0 + n)
    np.testing.assert_allclose(together.phi, want, rtol=1e-7)


def test_moments_do_not_depend_on_how_many_rows_go_at_once(monkeypatch):
    mixture, z = several(1), np.random.default_rng(1).normal(size=(500, 2))
    whole = mixture.moments(z)
    monkeypatch.setattr("aegmm_detect.numerics.frozen_mixture._CHUNK", 60)
    for part, want in zip(mixture.moments(z), whole, strict=True):
        np.testing.assert_allclose(part, want, rtol=1e-9)


def test_rows_as_expected_change_nothing_and_no_rows_nothing_at_all():
    mixture = several(2)
    rng = np.random.default_rng(2)
    which = rng.choice(3, 40_000, p=mixture.phi)
    z = mixture.mu[which] + np.einsum("nde,ne->nd", mixture.L[which], rng.normal(size=(40_000, 2)))
    same = merged(mixture, 1000.0, mixture.moments(z))
    np.testing.assert_allclose(same.phi, mixture.phi, atol=0.02)
    np.testing.assert_allclose(same.mu, mixture.mu, atol=0.15)
    none = merged(mixture, 1000.0, mixture.moments(z[:0]))
    np.testing.assert_allclose(none.mu, mixture.mu, rtol=1e-12)
    np.testing.assert_allclose(none.cov, mixture.cov, rtol=1e-5)


def test_diagonal_mixtures_stay_diagonal():
    rng = np.random.default_rng(0)
    variances = rng.uniform(0.5, 2.0, (2, 3))
    whiten = variances[:, :, None] ** -0.5 * np.eye(3)
    mixture = ScoringMixture(
        np.full(2, 0.5), rng.normal(size=(2, 3)), variances[:, :, None] * np.eye(3), whiten
    )
    assert mixture.diagonal
    new = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3))
    after = merged(mixture, 10.0, mixture.moments(new))
    assert after.diagonal
    assert not several(0).diagonal
    assert not np.allclose(after.cov, mixture.cov)


@given(n=st.floats(0, 1e6), new=st.integers(0, 10_000), half_life=st.floats(1.0, 1e6))
@bounded
def test_old_rows_weigh_half_after_a_half_life(n, new, half_life):
    assert faded(n, new, None) == n
    assert faded(n, new, half_life) <= n
    assert faded(2.0, 2 * new, 2 * half_life) == pytest.approx(faded(2.0, new, half_life))
    assert faded(8.0, 30, 30.0) == 4.0
