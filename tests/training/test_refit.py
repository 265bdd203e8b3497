"""The density fitted to learned z: scikit-learn's mixture, in the units of z."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from aegmm_detect.exceptions import IndefiniteCovarianceError
from aegmm_detect.training.refit import Refit, component_count, without_strangest
from aegmm_detect.training.refit import refit as refit_all

bounded = settings(max_examples=10)
REG = 1e-3
COVARIANCES = pytest.mark.parametrize("covariance", ["full", "diag"])


def refit(z, n_components, reg, seed, covariance="full"):
    (mixture,) = refit_all([Refit(z, n_components, covariance)], reg, seed)
    return mixture


def sample(seed=0, n=200, n_dim=3):
    """Two clumps, correlated, on scales that differ by orders of magnitude."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, n_dim)) @ rng.normal(size=(n_dim, n_dim))
    z[: n // 3] += 5 * rng.normal(size=n_dim)
    return z * 10 ** rng.uniform(-3, 3, size=n_dim) + rng.normal(size=n_dim)


@COVARIANCES
@given(seed=st.integers(0, 2**31 - 1), n_dim=st.integers(1, 10), n_components=st.integers(1, 4))
@bounded
def test_energy_is_minus_the_log_density_of_scikit_learns_mixture(
    covariance, seed, n_dim, n_components
):
    z = sample(seed, n_dim=n_dim)
    got = refit(z, n_components, REG, seed, covariance).energy(z)
    scaler = StandardScaler().fit(z)
    oracle = GaussianMixture(
        n_components, covariance_type=covariance, reg_covar=REG, max_iter=30, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        oracle.fit(scaler.transform(z))
    # A density per unit of z, not per deviation: the logarithm of the change of units.
    want = -oracle.score_samples(scaler.transform(z)) + np.log(scaler.scale_).sum()
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@COVARIANCES
@given(seed=st.integers(0, 2**31 - 1), n_components=st.integers(1, 4))
@bounded
def test_all_parameters_describe_one_mixture(covariance, seed, n_components):
    z = sample(seed)
    mixture = refit(z, n_components, REG, seed, covariance)
    assert mixture.phi.sum() == pytest.approx(1)
    np.testing.assert_allclose(
        mixture.phi @ mixture.mu, z.mean(axis=0), rtol=1e-2, atol=1e-2 * np.abs(z).max()
    )
    eye = np.broadcast_to(np.eye(3), mixture.cov.shape)
    np.testing.assert_allclose(
        mixture.W @ mixture.cov @ mixture.W.swapaxes(1, 2), eye, rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(mixture.log_det_cov, np.linalg.slogdet(mixture.cov)[1], atol=1e-6)


def test_one_component_has_the_mean_and_covariance_of_the_rows():
    z = sample()
    mixture = refit(z, 1, REG, 0)
    np.testing.assert_allclose(mixture.mu[0], z.mean(axis=0), rtol=1e-9)
    want = np.cov(z.T, ddof=0)
    np.testing.assert_allclose(mixture.cov[0], want + REG * np.diag(np.diag(want)), rtol=1e-8)


@given(seed=st.integers(0, 2**31 - 1), n_components=st.integers(1, 4))
@bounded
def test_units_of_z_change_energies_by_one_constant(seed, n_components):
    """No matter which features: code and residuals differ by orders of magnitude."""
    z = sample(seed)
    factor, shift = np.array([1e3, 1.0, 1e-2]), np.array([1e4, 0.0, -3.0])
    energy = refit(z, n_components, REG, seed).energy(z)
    other = refit(z * factor + shift, n_components, REG, seed).energy(z * factor + shift)
    np.testing.assert_allclose(other - energy, np.log(factor).sum(), rtol=1e-5, atol=1e-5)


def test_units_of_z_do_not_change_the_ranking():
    z = sample()
    energies = [refit(rows, 3, REG, 0).energy(rows) for rows in (z, z * 1e3 + 1e4)]
    assert (np.argsort(energies[0]) == np.argsort(energies[1])).all()


def test_the_same_seed_gives_the_same_mixture():
    rng = np.random.default_rng(0)
    z = rng.uniform(size=(300, 3))  # no clumps: the start decides
    first, again, other = (refit(z, 6, REG, seed) for seed in (1, 1, 2))
    for name in ("phi", "mu", "cov", "W"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.mu != other.mu).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_z_that_is_not_finite_is_refused(value):
    z = sample()
    z[17, 1] = value
    with pytest.raises(IndefiniteCovarianceError, match="NaN or infinity"):
        refit(z, 2, REG, 0)


@pytest.mark.parametrize("value", [0.0, 1.0, -1e6, 1e-9])
def test_a_constant_feature_is_no_obstacle_and_moves_no_rank(value):
    z = sample()
    constant = np.column_stack([z[:, :2], np.full(len(z), value), z[:, 2]])
    energy, without = refit(constant, 2, REG, 0).energy(constant), refit(z, 2, REG, 0).energy(z)
    assert np.isfinite(energy).all()
    np.testing.assert_allclose(energy - energy.mean(), without - without.mean(), atol=1e-6)
    # And another value of it is strange.
    constant[0, 2] += 1.0
    assert refit(constant[1:], 2, REG, 0).energy(constant)[0] > energy.max()


@pytest.mark.parametrize("n_components", [1, 5])
def test_rows_that_are_all_alike_have_finite_energies(n_components):
    z = np.full((100, 3), 2.5)
    energy = refit(z, n_components, REG, 0).energy(z)
    assert np.isfinite(energy).all()
    np.testing.assert_allclose(energy, energy[0], rtol=1e-12)


def test_duplicated_rows_and_few_rows_can_be_fitted():
    z = sample(n=4)
    for rows, n_components in ((np.repeat(z, 50, axis=0), 10), (z, 4), (z[:2], 2)):
        assert np.isfinite(refit(rows, n_components, REG, 0).energy(rows)).all()


def test_diagonal_covariances_are_diagonal_and_score_as_full_ones_would():
    z = sample()
    mixture = refit(z, 3, REG, 0, "diag")
    off = ~np.eye(3, dtype=bool)
    assert (mixture.cov[:, off] == 0).all()
    assert (mixture.W[:, off] == 0).all()
    densities = [
        np.log(phi) + norm(mu, np.sqrt(np.diagonal(cov))).logpdf(z).sum(axis=1)
        for phi, mu, cov in zip(mixture.phi, mixture.mu, mixture.cov, strict=True)
    ]
    np.testing.assert_allclose(mixture.energy(z), -logsumexp(densities, axis=0), rtol=1e-9)


def test_several_fits_at_a_time_are_those_of_one_after_the_other():
    jobs = [Refit(sample(seed), 1 + seed % 3, ("full", "diag")[seed % 2]) for seed in range(6)]
    for job, together in zip(jobs, refit_all(jobs, REG, 5), strict=True):
        alone = refit(job.z, job.n_components, REG, 5, job.covariance)
        for name in ("phi", "mu", "cov", "W"):
            np.testing.assert_array_equal(getattr(together, name), getattr(alone, name))


@given(seed=st.integers(0, 2**31 - 1), trim=st.floats(0, 1))
@bounded
def test_the_usual_rows_are_those_of_lowest_energy(seed, trim):
    z = sample(seed, n=60)
    mixture = refit(z, 3, REG, 0)
    kept = without_strangest(z, mixture, trim)
    assert (np.diff(kept) > 0).all()
    assert len(kept) == max(3, round((1 - trim) * 60))
    energy = mixture.energy(z)
    assert energy[kept].max() <= np.delete(energy, kept).min(initial=np.inf)


def test_trimming_forgets_anomalies_that_have_a_component_of_their_own():
    rng = np.random.default_rng(0)
    usual, strange = rng.normal(size=(950, 3)), 20 + 5 * rng.normal(size=(50, 3))
    z = np.concatenate([usual, strange])
    first = refit(z, 2, REG, 0)
    second = refit(z[without_strangest(z, first, 0.1)], 2, REG, 0)
    margins = [m.energy(strange).min() - m.energy(usual).max() for m in (first, second)]
    assert margins[0] < 0 < margins[1]


def test_few_rows_bear_few_components():
    for n_rows in range(1, 201):
        assert component_count(n_rows, "auto") == (1 if n_rows < 200 else 2)
        for wanted in (1, 3, 150):
            assert component_count(n_rows, wanted) == min(wanted, n_rows)


@given(n_rows=st.integers(1, 10**7), more=st.integers(0, 10**7))
@settings(max_examples=200)
def test_more_rows_never_bear_fewer_components(n_rows, more):
    few, many = component_count(n_rows, "auto"), component_count(n_rows + more, "auto")
    assert few <= many <= min(40, n_rows + more)
    # No component stands on fewer than a hundred rows, unless it is the only one.
    assert few == 1 or n_rows >= 100 * few
