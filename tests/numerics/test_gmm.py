import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as SklearnMixture

from aegmm_detect.numerics import gmm

seeds = st.integers(0, 2**32 - 1)
bounded = settings(max_examples=15)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def sample(seed=0, n=90, n_components=3, n_dim=4, dtype="float64"):
    """Correlated rows and memberships."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, n_dim)) @ rng.normal(size=(n_dim, n_dim)) + rng.normal(size=n_dim)
    gamma = rng.dirichlet(np.ones(n_components), size=n)
    return z.astype(dtype), gamma.astype(dtype)


def fitted(z, gamma, reg=gmm.DEFAULT_REG):
    return gmm.mixture(gmm.moments(z, gamma), reg)


def well_conditioned(rng, n_dim):
    """A random matrix with singular values between 1/3 and 3."""
    left, _ = np.linalg.qr(rng.normal(size=(n_dim, n_dim)))
    right, _ = np.linalg.qr(rng.normal(size=(n_dim, n_dim)))
    return left * np.exp(rng.uniform(-1, 1, size=n_dim)) @ right


def assert_finite_with_gradients(z, gamma):
    """Energy, penalty, and the gradients of a loss of both."""
    z, gamma = tf.constant(z), tf.constant(gamma)
    with tf.GradientTape() as tape:
        tape.watch([z, gamma])
        params = fitted(z, gamma)
        energy, penalty = gmm.energy(z, params), gmm.inverse_variance(params)
        loss = 0.1 * tf.reduce_mean(energy) + 0.005 * penalty
    for value in (energy, penalty, *params, *tape.gradient(loss, [z, gamma])):
        assert np.isfinite(value).all()
    return energy.numpy()


@given(seed=seeds, n_components=st.integers(1, 4), n_dim=st.integers(1, 10))
@bounded
def test_energy_is_the_negative_log_density_of_the_mixture(seed, n_components, n_dim):
    z, gamma = sample(seed, 200, n_components, n_dim)
    phi, mu, cov, _ = params = fitted(z, gamma)
    log_prob = [
        np.log(w) + multivariate_normal(m, c).logpdf(z)
        for w, m, c in zip(*map(np.asarray, (phi, mu, cov)), strict=True)
    ]
    np.testing.assert_allclose(
        gmm.energy(z, params), -logsumexp(log_prob, axis=0), rtol=1e-9, atol=1e-9
    )


@given(seed=seeds, n_components=st.integers(1, 4), n_dim=st.integers(1, 10))
@bounded
def test_energy_is_what_scikit_learn_calls_minus_score_samples(seed, n_components, n_dim):
    z, gamma = sample(seed, 200, n_components, n_dim)
    params = fitted(z, gamma)
    oracle = SklearnMixture(n_components)
    oracle.weights_, oracle.means_, oracle.covariances_ = map(np.asarray, params[:3])
    oracle.precisions_cholesky_ = np.stack(
        [
            solve_triangular(factor, np.eye(n_dim), lower=True).T
            for factor in np.linalg.cholesky(oracle.covariances_)
        ]
    )
    np.testing.assert_allclose(
        gmm.energy(z, params), -oracle.score_samples(z), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("members", [(), (2,)])
@DTYPES
def test_a_diagonal_may_stand_for_a_whitening_matrix_that_is_diagonal(dtype, members):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(*members, 20, 4)).astype(dtype)
    mu, diagonal = rng.normal(size=(2, *members, 3, 4)).astype(dtype)
    diagonal = np.exp(diagonal)
    whole = diagonal[..., None] * np.eye(4, dtype=dtype)
    phi = rng.dirichlet(np.ones(3), size=members).astype(dtype)
    energies = [gmm.energy(z, gmm.GaussianMixture(phi, mu, None, w)) for w in (diagonal, whole)]
    np.testing.assert_allclose(*energies, rtol=1e-9 if dtype == "float64" else 1e-5)


def test_moments_are_weighted_means_and_scatters():
    z, gamma = sample()
    mass, mean, scatter = map(np.asarray, gmm.moments(z, gamma))
    for k, weights in enumerate(gamma.T):
        np.testing.assert_allclose(mass[k], weights.sum())
        np.testing.assert_allclose(mean[k], np.average(z, axis=0, weights=weights))
        want = np.cov(z.T, aweights=weights, ddof=0) * weights.sum()
        np.testing.assert_allclose(scatter[k], want, atol=1e-9)


@given(
    seed=seeds,
    cuts=st.lists(st.integers(0, 60), max_size=6),
    empty=st.sampled_from([(), (0,), (0, 2)]),
    data=st.data(),
)
@bounded
def test_merging_parts_in_any_order_equals_one_pass(seed, cuts, empty, data):
    """Parts may be empty, and components, too: in all parts or in only one."""
    z, gamma = sample(seed, 60)
    gamma[:, list(empty)] = 0.0
    gamma[:20, 1] = 0.0
    edges = [0, *sorted(cuts), 60]
    parts = [gmm.moments(z[a:b], gamma[a:b]) for a, b in itertools.pairwise(edges)]
    parts = data.draw(st.permutations(parts))
    merged, whole = functools.reduce(gmm.merge, parts), gmm.moments(z, gamma)
    np.testing.assert_allclose(merged.mass, whole.mass, atol=1e-9)
    np.testing.assert_allclose(merged.scatter, whole.scatter, atol=1e-9)
    # Where an empty component would be is nobody's business, as long as it is somewhere.
    assert np.isfinite(merged.mean).all()
    used = np.asarray(whole.mass) > 0
    np.testing.assert_allclose(merged.mean[used], whole.mean[used], atol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e6])
def test_float32_keeps_the_covariance_of_rows_far_from_zero(offset):
    z, gamma = sample(n=1000, dtype="float32")
    z = z + np.float32(offset)
    got = fitted(z, gamma).cov
    want = fitted(z.astype("float64"), gamma.astype("float64")).cov
    np.testing.assert_allclose(got, want, atol=1e-3 * np.abs(want).max())


def test_float32_keeps_the_covariance_of_merged_batches_far_from_zero():
    z, gamma = sample(n=1000, dtype="float32")
    z = 100 * z + np.float32(1e6)  # a float32 mean near 1e6 is only good to 0.03
    parts = (gmm.moments(z[i : i + 250], gamma[i : i + 250]) for i in range(0, 1000, 250))
    got = gmm.mixture(functools.reduce(gmm.merge, parts)).cov
    want = fitted(z.astype("float64"), gamma.astype("float64")).cov
    np.testing.assert_allclose(got, want, atol=1e-3 * np.abs(want).max())


@DTYPES
def test_dtype_in_is_dtype_out(dtype):
    z, gamma = sample(dtype=dtype)
    params = fitted(z, gamma)
    results = (*gmm.moments(z, gamma), *params, gmm.energy(z, params), gmm.inverse_variance(params))
    assert {tf.as_dtype(result.dtype).name for result in results} == {dtype}


@DTYPES
@pytest.mark.parametrize("n_dim", [4, 10])
def test_an_empty_component_is_finite_and_changes_no_energy(dtype, n_dim):
    z, gamma = sample(n_dim=n_dim, dtype=dtype)
    with_empty = np.insert(gamma, 1, 0.0, axis=1)
    energy = assert_finite_with_gradients(z, with_empty)
    rtol = 1e-3 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(energy, gmm.energy(z, fitted(z, gamma)), rtol=rtol)


@DTYPES
@pytest.mark.parametrize("mass", [1e-30, 1e-20, 1e-12, 1e-6])
def test_an_almost_empty_component_is_finite(dtype, mass):
    z, gamma = sample(dtype=dtype)
    gamma[:, 0] = mass
    gamma[:, 1:] /= gamma[:, 1:].sum(axis=1, keepdims=True)
    assert_finite_with_gradients(z, gamma)


@DTYPES
@pytest.mark.parametrize("n_dim", [4, 10])
def test_a_batch_of_one_row_is_finite(dtype, n_dim):
    assert_finite_with_gradients(*sample(n=1, n_dim=n_dim, dtype=dtype))


@DTYPES
@pytest.mark.parametrize("value", [0.0, 0.1, -1e4])
@pytest.mark.parametrize("n_dim", [4, 10])
def test_identical_rows_are_finite_and_score_alike(dtype, value, n_dim):
    _, gamma = sample(dtype=dtype)
    energy = assert_finite_with_gradients(np.full((90, n_dim), value, dtype), gamma)
    assert np.ptp(energy) == 0.0


@DTYPES
@pytest.mark.parametrize("n_dim", [4, 10])
def test_a_constant_feature_is_finite(dtype, n_dim):
    z, gamma = sample(n_dim=n_dim, dtype=dtype)
    z[:, 0] = 7.3
    assert_finite_with_gradients(z, gamma)


@DTYPES
def test_far_rows_keep_distinct_finite_energies(dtype):
    z, gamma = sample(dtype=dtype)
    params = fitted(z, gamma)
    sigmas = np.geomspace(10, 1e6, 200, dtype=dtype)[:, None]
    for direction in np.eye(4, dtype=dtype):
        energy = np.asarray(gmm.energy(z.mean(axis=0) + sigmas * z.std(axis=0) * direction, params))
        assert np.isfinite(energy).all()
        assert (np.diff(energy) > 0).all()


@pytest.mark.parametrize("n_dim", [4, 10])
def test_the_penalty_reads_the_covariance_that_scores(n_dim):
    z, gamma = sample(n_dim=n_dim)
    z[:, 1] = z[:, 0]  # singular, so the regularised diagonal differs from the plain one
    params = fitted(z, gamma, reg=1e-2)
    variances = np.diagonal(params.cov, axis1=1, axis2=2)
    np.testing.assert_allclose(gmm.inverse_variance(params), (1 / variances).sum(), rtol=1e-12)
    scatter = gmm.moments(z, gamma).scatter
    plain = np.diagonal(scatter, axis1=1, axis2=2) / gamma.sum(axis=0)[:, None]
    assert (variances > 1.001 * plain).all()


@given(seed=seeds, order=st.permutations(range(4)))
@bounded
def test_the_order_of_components_and_rows_means_nothing(seed, order):
    z, gamma = sample(seed, n_components=4)
    energy = np.asarray(gmm.energy(z, fitted(z, gamma)))
    renamed = gmm.energy(z, fitted(z, gamma[:, order]))
    np.testing.assert_allclose(renamed, energy, rtol=1e-9, atol=1e-9)
    shuffled = np.random.default_rng(seed).permutation(len(z))
    moved = gmm.energy(z[shuffled], fitted(z[shuffled], gamma[shuffled]))
    np.testing.assert_allclose(moved, energy[shuffled], rtol=1e-9, atol=1e-9)


@given(seed=seeds, n_dim=st.integers(1, 10))
@bounded
def test_an_affine_map_shifts_every_energy_by_its_log_determinant(seed, n_dim):
    rng = np.random.default_rng(seed)
    z, gamma = sample(seed, 200, 2, n_dim)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    matrix, shift = well_conditioned(rng, n_dim), rng.normal(size=n_dim)
    mapped = z @ matrix.T + shift
    got = gmm.energy(mapped, fitted(mapped, gamma, reg=0.0))
    want = gmm.energy(z, fitted(z, gamma, reg=0.0)) + np.linalg.slogdet(matrix)[1]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@given(seed=seeds, exponent=st.floats(-3, 3), n_dim=st.integers(1, 10))
@bounded
def test_jitter_follows_the_units_of_the_rows(seed, exponent, n_dim):
    z, gamma = sample(seed, n_dim=n_dim)
    z[:, 0] = z[:, -1]  # singular: the jitter decides
    scaled = z * 10.0**exponent
    got = gmm.energy(scaled, fitted(scaled, gamma))
    want = gmm.energy(z, fitted(z, gamma)) + n_dim * exponent * np.log(10)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@given(
    seed=seeds,
    n_dim=st.integers(2, 10),
    rank=st.integers(1, 3),
    n=st.sampled_from([8, 64, 1024]),
    exponent=st.floats(-3, 3),
    offset=st.sampled_from([0.0, 1.0, 1e3]),
)
@bounded
def test_rows_on_a_plane_in_float32_keep_their_covariance(seed, n_dim, rank, n, exponent, offset):
    """Codes of more dimensions than the data has; rounding makes such covariances indefinite."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, n_dim)) + offset
    z = (10.0**exponent * z).astype("float32")
    gamma = rng.dirichlet(np.ones(2), size=n).astype("float32")
    moments = gmm.moments(z, gamma)
    plain = np.asarray(moments.scatter) / np.asarray(moments.mass)[:, None, None]
    params = gmm.mixture(moments)
    scale = np.trace(plain, axis1=1, axis2=2)[:, None, None] / n_dim
    assert (np.abs(params.cov - plain) <= 1e-4 * scale).all()
    assert_finite_with_gradients(z, gamma)


@given(weights=st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda w: sum(w) > 0.1))
@bounded
def test_effective_components_lie_between_one_and_all(weights):
    phi = np.array(weights) / sum(weights)
    effective = float(gmm.effective_components(phi))
    assert 1 - 1e-9 <= effective <= len(phi) + 1e-9
    assert effective == pytest.approx(float(gmm.effective_components(phi[::-1])))
    # Unused components do not count.
    assert effective == pytest.approx(float(gmm.effective_components(np.append(phi, 0.0))))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_effective_components_count_those_that_share_equally(n):
    assert float(gmm.effective_components(np.full(n, 1 / n))) == pytest.approx(n)
    assert float(gmm.effective_components(np.eye(n)[0])) == pytest.approx(1)
