import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp

from aegmm_detect.numerics import laplace

seeds = st.integers(0, 2**32 - 1)
bounded = settings(max_examples=15)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def sample(seed=0, n=90, n_components=3, n_dim=4, dtype="float64", members=()):
    """Heavy-tailed rows on scales of their own, and memberships."""
    rng = np.random.default_rng(seed)
    z = rng.laplace(size=(*members, n, n_dim)) * 10 ** rng.uniform(-1, 1, size=n_dim)
    gamma = rng.dirichlet(np.ones(n_components), size=(*members, n))
    return (z + rng.normal(size=n_dim)).astype(dtype), gamma.astype(dtype)


def fitted(z, gamma, reg=laplace.DEFAULT_REG):
    return laplace.mixture(laplace.moments(z, gamma), reg)


def by_scipy(z, params):
    """Logs of the weighted components' densities, (N, K)."""
    phi, mu, scale = map(np.asarray, params)
    parts = [stats.laplace(m, b).logpdf(z).sum(axis=1) for m, b in zip(mu, scale, strict=True)]
    return np.log(phi) + np.stack(parts, axis=1)


def assert_finite_with_gradients(z, gamma):
    """Energy, penalty, and the gradients of a loss of both."""
    z, gamma = tf.constant(z), tf.constant(gamma)
    with tf.GradientTape() as tape:
        tape.watch([z, gamma])
        params = fitted(z, gamma)
        energy, penalty = laplace.energy(z, params), laplace.inverse_scale(params)
        loss = 0.1 * tf.reduce_mean(energy) + 0.005 * penalty
    for value in (energy, penalty, *params, *tape.gradient(loss, [z, gamma])):
        assert np.isfinite(value).all()
    return energy.numpy(), penalty.numpy()


@given(seed=seeds, n_components=st.integers(1, 4), n_dim=st.integers(1, 10))
@bounded
def test_energy_and_memberships_are_those_of_scipys_densities(seed, n_components, n_dim):
    z, gamma = sample(seed, 100, n_components, n_dim)
    params = fitted(z, gamma)
    log_prob = by_scipy(z, params)
    want = -logsumexp(log_prob, axis=1)
    np.testing.assert_allclose(laplace.energy(z, params), want, rtol=1e-9, atol=1e-9)
    posterior = np.exp(log_prob + want[:, None])
    np.testing.assert_allclose(laplace.responsibilities(z, params), posterior, rtol=1e-7, atol=1e-9)


def test_parameters_are_weighted_means_and_mean_absolute_deviations():
    z, gamma = sample()
    phi, mu, scale = map(np.asarray, fitted(z, gamma))
    np.testing.assert_allclose(phi, gamma.mean(axis=0))
    for k, weights in enumerate(gamma.T):
        np.testing.assert_allclose(mu[k], np.average(z, axis=0, weights=weights))
        want = np.average(np.abs(z - mu[k]), axis=0, weights=weights)
        np.testing.assert_allclose(scale[k], want)


def test_no_other_scale_makes_the_rows_more_likely():
    """The scale is the maximum-likelihood estimate, given the location."""
    z, _ = sample(n_components=1)
    best = fitted(z, np.ones((90, 1)))
    energy = np.mean(laplace.energy(z, best))
    for factor, d in itertools.product((0.9, 0.99, 1.01, 1.1), range(4)):
        scale = np.array(best.scale)
        scale[0, d] *= factor
        assert np.mean(laplace.energy(z, best._replace(scale=scale))) > energy


@given(
    seed=seeds,
    cuts=st.lists(st.integers(0, 60), max_size=6),
    empty=st.sampled_from([(), (0,), (0, 2)]),
    data=st.data(),
)
@bounded
def test_batches_in_any_order_equal_one_pass(seed, cuts, empty, data):
    """Batches may be empty, and components, too: in all batches or in only one."""
    z, gamma = sample(seed, 60)
    gamma[:, list(empty)] = 0.0
    gamma[:20, 1] = 0.0
    edges = [0, *sorted(cuts), 60]
    batches = [(z[a:b], gamma[a:b]) for a, b in itertools.pairwise(edges)]
    batches = data.draw(st.permutations(batches))
    got, want = laplace.moments_of_all(lambda: batches), laplace.moments(z, gamma)
    np.testing.assert_allclose(got.mass, want.mass, atol=1e-9)
    np.testing.assert_allclose(got.deviation, want.deviation, atol=1e-9)
    # Where an empty component would be is nobody's business, as long as it is somewhere.
    assert np.isfinite(got.mean).all()
    used = np.asarray(want.mass) > 0
    np.testing.assert_allclose(got.mean[used], want.mean[used], atol=1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e6])
def test_float32_keeps_the_scale_of_rows_far_from_zero(offset):
    z, gamma = sample(n=1000, dtype="float32")
    z = z + np.float32(offset)
    want = fitted(z.astype("float64"), gamma.astype("float64")).scale
    np.testing.assert_allclose(fitted(z, gamma).scale, want, rtol=1e-3)


@DTYPES
def test_dtype_in_is_dtype_out(dtype):
    z, gamma = sample(dtype=dtype)
    params = fitted(z, gamma)
    energy, penalty = laplace.energy(z, params), laplace.inverse_scale(params)
    results = (*laplace.moments(z, gamma), *params, energy, penalty)
    assert {tf.as_dtype(result.dtype).name for result in results} == {dtype}


@given(seed=seeds, members=st.integers(1, 3), n_components=st.integers(1, 4))
@bounded
def test_members_in_front_are_treated_one_by_one(seed, members, n_components):
    z, gamma = sample(seed, 40, n_components, members=(members,))
    params = fitted(z, gamma)
    stacked = (laplace.energy(z, params), laplace.inverse_scale(params), *params)
    whole = laplace.moments_of_all(lambda: [(z[:, :15], gamma[:, :15]), (z[:, 15:], gamma[:, 15:])])
    for m in range(members):
        own = fitted(z[m], gamma[m])
        alone = (laplace.energy(z[m], own), laplace.inverse_scale(own), *own)
        for got, want in zip(stacked, alone, strict=True):
            np.testing.assert_allclose(got[m], want, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(
            whole.deviation[m], laplace.moments(z[m], gamma[m]).deviation, rtol=1e-9
        )


@DTYPES
@pytest.mark.parametrize("mass", [0.0, 1e-30, 1e-20])
def test_an_empty_component_is_finite_and_changes_neither_energy_nor_penalty(dtype, mass):
    z, gamma = sample(dtype=dtype)
    energy, penalty = assert_finite_with_gradients(z, np.insert(gamma, 1, mass, axis=1))
    rtol = 1e-4 if dtype == "float32" else 1e-9
    want = fitted(z, gamma)
    np.testing.assert_allclose(energy, laplace.energy(z, want), rtol=rtol)
    np.testing.assert_allclose(penalty, laplace.inverse_scale(want), rtol=rtol)


@DTYPES
@pytest.mark.parametrize("n_dim", [1, 4])
def test_a_row_at_its_own_mean_is_finite(dtype, n_dim):
    assert_finite_with_gradients(*sample(n=1, n_dim=n_dim, dtype=dtype))
    z, _ = sample(n=2, n_dim=n_dim, dtype=dtype)
    assert_finite_with_gradients(np.vstack([z, z.mean(axis=0)]), np.ones((3, 1), dtype))


@DTYPES
@pytest.mark.parametrize("value", [0.0, 0.1, -1e4])
def test_identical_rows_are_finite_and_score_alike(dtype, value):
    _, gamma = sample(dtype=dtype)
    energy, _ = assert_finite_with_gradients(np.full((90, 4), value, dtype), gamma)
    assert np.ptp(energy) == 0.0


@given(seed=seeds, exponent=st.floats(-4, 4), reg=st.sampled_from([1e-6, 1e-2]))
@bounded
def test_a_constant_feature_has_a_scale_in_proportion_to_the_others(seed, exponent, reg):
    z, gamma = sample(seed)
    z[:, 0] = 0.0
    z *= 10.0**exponent
    scale = np.asarray(fitted(z, gamma, reg).scale)
    plain = np.asarray(fitted(z, gamma, 0.0).scale)
    least = np.maximum(np.sqrt(reg) * plain[:, 1:].sum(axis=1) / 4, laplace.SCALE_FLOOR)
    np.testing.assert_allclose(scale[:, 0], least, rtol=1e-5)
    assert (scale >= plain).all()
    assert_finite_with_gradients(z.astype("float32"), gamma.astype("float32"))


@given(seed=seeds, order=st.permutations(range(4)))
@bounded
def test_the_order_of_components_and_rows_means_nothing(seed, order):
    z, gamma = sample(seed, n_components=4)
    energy = np.asarray(laplace.energy(z, fitted(z, gamma)))
    renamed = laplace.energy(z, fitted(z, gamma[:, order]))
    np.testing.assert_allclose(renamed, energy, rtol=1e-9, atol=1e-9)
    shuffled = np.random.default_rng(seed).permutation(len(z))
    moved = laplace.energy(z[shuffled], fitted(z[shuffled], gamma[shuffled]))
    np.testing.assert_allclose(moved, energy[shuffled], rtol=1e-9, atol=1e-9)


@given(seed=seeds)
@bounded
def test_units_of_the_features_shift_every_energy_by_one_constant(seed):
    rng = np.random.default_rng(seed)
    z, gamma = sample(seed)
    factor, shift = 10 ** rng.uniform(-1, 1, size=4), rng.normal(size=4)
    other = z * factor + shift
    got = laplace.energy(other, fitted(other, gamma, 0.0))
    want = laplace.energy(z, fitted(z, gamma, 0.0)) + np.log(factor).sum()
    np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-7)


@DTYPES
def test_far_rows_gain_energy_with_their_distance(dtype):
    z, gamma = sample(dtype=dtype)
    params = fitted(z, gamma)
    steps = np.geomspace(1e2, 1e8, 60, dtype=dtype)
    for d in range(4):
        rows = z.mean(axis=0) + steps[:, None] * np.eye(4, dtype=dtype)[d]
        energy = np.asarray(laplace.energy(rows, params))
        assert (np.diff(energy) > 0).all()
        # The component of the largest scale decides: its slope is 1 / b.
        slope = (energy[-1] - energy[-2]) / (steps[-1] - steps[-2])
        np.testing.assert_allclose(slope, 1 / np.max(params.scale, axis=0)[d], rtol=1e-2)


def test_the_gradient_of_a_loss_is_that_of_finite_differences():
    z, gamma = sample(n=12)
    direction = np.random.default_rng(1).normal(size=z.shape)

    def loss(rows):
        params = fitted(rows, gamma)
        return tf.reduce_mean(laplace.energy(rows, params)) + 0.1 * laplace.inverse_scale(params)

    rows = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        value = loss(rows)
    slope = np.sum(tape.gradient(value, rows) * direction)
    numeric = (loss(z + 1e-7 * direction) - loss(z - 1e-7 * direction)) / 2e-7
    np.testing.assert_allclose(slope, numeric, rtol=1e-5)
