"""An axis of members in front: every function treats the members as it treats each of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from aegmm_detect.numerics import features, gmm
from aegmm_detect.numerics.cholesky import whitening

bounded = settings(max_examples=10)
SHAPES = {
    "seed": st.integers(0, 2**32 - 1),
    "members": st.integers(1, 4),
    "n_components": st.integers(1, 4),
    "n_dim": st.integers(1, 10),  # on either side of where the Cholesky is unrolled
}


def sample(seed, members, n_components, n_dim, n=60):
    """Members whose z differ in place and scale."""
    rng = np.random.default_rng(seed)
    scale = 10 ** rng.uniform(-2, 2, size=(members, 1, 1))
    z = rng.normal(size=(members, n, n_dim)) @ rng.normal(size=(members, n_dim, n_dim))
    gamma = rng.dirichlet(np.ones(n_components), size=(members, n))
    return scale * (z + rng.normal(size=(members, 1, n_dim))), gamma


def close(got, want):
    got, want = ops.convert_to_numpy(got), ops.convert_to_numpy(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * max(np.abs(want).max(), 1e-300))


def each_close(stacked, alone):
    """`stacked` is a tuple of arrays (M, ...); `alone` one such tuple for each member."""
    for member, own in enumerate(alone):
        for got, want in zip(stacked, own, strict=True):
            close(got[member], want)


@given(**SHAPES)
@bounded
def test_moments_and_their_merge(seed, members, n_components, n_dim):
    z, gamma = sample(seed, members, n_components, n_dim)
    stacked = gmm.moments(z, gamma)
    each_close(stacked, [gmm.moments(*own) for own in zip(z, gamma, strict=True)])
    halves = [gmm.moments(z[:, rows], gamma[:, rows]) for rows in (slice(40), slice(40, None))]
    merged = gmm.merge(*halves)
    each_close(
        merged,
        [
            gmm.merge(*(gmm.Moments(*(v[m] for v in half)) for half in halves))
            for m in range(members)
        ],
    )
    for got, want in zip(merged, stacked, strict=True):
        got, want = np.asarray(got), np.asarray(want)
        np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9 * np.abs(want).max())


@given(**SHAPES)
@bounded
def test_mixture_energy_and_penalty(seed, members, n_components, n_dim):
    z, gamma = sample(seed, members, n_components, n_dim)
    params = gmm.mixture(gmm.moments(z, gamma))
    alone = [gmm.mixture(gmm.moments(*own)) for own in zip(z, gamma, strict=True)]
    each_close(params, alone)
    each_close(
        (gmm.log_prob(z, params),), [(gmm.log_prob(*p),) for p in zip(z, alone, strict=True)]
    )
    each_close((gmm.energy(z, params),), [(gmm.energy(*p),) for p in zip(z, alone, strict=True)])
    each_close((gmm.inverse_variance(params),), [(gmm.inverse_variance(own),) for own in alone])


def test_a_member_whose_components_are_empty_or_singular_stays_by_itself():
    z, gamma = sample(0, 3, 3, 4)
    gamma[1] = [1.0, 0.0, 0.0]
    z[2, :, 1] = z[2, :, 0]
    params = gmm.mixture(gmm.moments(z, gamma))
    energy = ops.convert_to_numpy(gmm.energy(z, params))
    assert np.isfinite(energy).all()
    for member in range(3):
        own = gmm.mixture(gmm.moments(z[member], gamma[member]))
        np.testing.assert_allclose(energy[member], gmm.energy(z[member], own), rtol=1e-6)


@given(
    seed=st.integers(0, 2**32 - 1),
    lead=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    n_dim=st.integers(1, 10),
    rank=st.integers(1, 10),
)
@bounded
def test_whitening(seed, lead, n_dim, rank):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(*lead, 2, n_dim, min(rank, n_dim)))
    cov = factor @ factor.swapaxes(-1, -2)
    stacked = [ops.convert_to_numpy(value) for value in whitening(cov, 1e-4)]
    for index in np.ndindex(*lead):
        for got, want in zip(stacked, whitening(cov[index], 1e-4), strict=True):
            close(got[index], want)


def test_gradients_are_the_members_own():
    import tensorflow as tf

    z, gamma = sample(0, 3, 2, 3)

    def gradient(z, gamma):
        z = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(z)
            params = gmm.mixture(gmm.moments(z, gamma))
            loss = tf.reduce_mean(gmm.energy(z, params), axis=-1) + gmm.inverse_variance(params)
            loss = tf.reduce_sum(loss)
        return tape.gradient(loss, z)

    stacked = gradient(z, gamma)
    for member in range(3):
        np.testing.assert_allclose(
            stacked[member], gradient(z[member], gamma[member]), rtol=1e-7, atol=1e-12
        )


FUNCTIONS = pytest.mark.parametrize(
    "function",
    [
        features.euclidean,
        features.mean_squared,
        features.squared_error,
        features.eucl_cosim_features,
        features.concat(features.log_euclidean, features.negative_cosine),
    ],
)


@FUNCTIONS
@pytest.mark.parametrize("row_shape", [(5,), (4, 2), (3, 2, 1)])
@pytest.mark.parametrize("members", [1, 3])
def test_features_of_members_are_each_members_features(function, row_shape, members):
    rng = np.random.default_rng(0)
    x, x_recon = rng.normal(size=(7, *row_shape)), rng.normal(size=(members, 7, *row_shape))
    got = ops.convert_to_numpy(features.per_member(function, x, x_recon))
    for member in range(members):
        close(got[member], function(x, x_recon[member]))
        close(features.per_member(function, x, x_recon[member]), function(x, x_recon[member]))


def test_features_of_members_hold_in_a_graph_of_any_number_of_rows():
    import tensorflow as tf

    def function(x, x_recon):
        return features.per_member(features.eucl_cosim_features, x, x_recon)

    rng = np.random.default_rng(0)
    specs = [tf.TensorSpec((None, 5), "float64"), tf.TensorSpec((2, None, 5), "float64")]
    graph = tf.function(function).get_concrete_function(*specs)
    assert tuple(graph.structured_outputs.shape) == (2, None, 2)
    for n in (1, 9):
        x, x_recon = rng.normal(size=(n, 5)), rng.normal(size=(2, n, 5))
        close(graph(tf.constant(x), tf.constant(x_recon)), function(x, x_recon))
