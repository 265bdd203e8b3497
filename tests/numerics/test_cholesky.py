import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.numerics.cholesky import UNROLL_UP_TO, VARIANCE_FLOOR, whitening

REG = 1e-6
SMALL, LARGE = 4, UNROLL_UP_TO + 4  # one size for each of the two ways to factor
SIZES = pytest.mark.parametrize("n_dim", [1, SMALL, UNROLL_UP_TO, LARGE])
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
bounded = settings(max_examples=15)


def covariances(n_dim, seed=0, n=2, rank=None, dtype="float64"):
    """`n` covariances of 50 rows that vary in `rank` directions."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, rank or n_dim, n_dim))
    z = np.einsum("kir,krd->kid", rng.normal(size=(n, 50, rank or n_dim)), factors)
    z -= z.mean(axis=1, keepdims=True)
    return np.einsum("kid,kie->kde", z, z).astype(dtype) / 50


def rounded(n_dim, seed=0, dtype="float64"):
    """Covariances of rank 1 in float32, nudged as rounding would: a few are indefinite."""
    cov = covariances(n_dim, seed, n=4, rank=1).astype("float32").astype("float64")
    noise = np.random.default_rng(seed).normal(size=cov.shape) * 3e-8 * mean_variance(cov)
    return (cov + (noise + noise.swapaxes(1, 2)) / 2).astype(dtype)


def mean_variance(cov):
    return np.trace(cov, axis1=1, axis2=2)[:, None, None] / cov.shape[-1]


def kinds(n_dim, dtype="float64"):
    """Everything that a batch has been seen to produce, in one stack."""
    constant = covariances(n_dim, 3, n=1)
    constant[:, 0] = constant[:, :, 0] = 0.0
    parts = [
        covariances(n_dim),
        covariances(n_dim, rank=1),
        rounded(n_dim),
        constant,  # a constant feature
        np.zeros((1, n_dim, n_dim)),  # identical rows, an empty component
        covariances(n_dim) * 1e8,
        covariances(n_dim) * 1e-8,
    ]
    return np.concatenate(parts).astype(dtype)


def whitened(cov, whiten):
    whiten = np.asarray(whiten, dtype="float64")
    return whiten @ np.asarray(cov, dtype="float64") @ whiten.swapaxes(1, 2)


def assert_usable(cov, out, whiten):
    """Finite, symmetric, positive definite, whitened by `whiten`, and `cov` but for jitter."""
    out, whiten = np.asarray(out), np.asarray(whiten)
    double = out.astype("float64")
    assert out.dtype == whiten.dtype == cov.dtype
    assert np.isfinite(out).all()
    assert np.isfinite(whiten).all()
    np.testing.assert_array_equal(out, out.swapaxes(1, 2))
    np.testing.assert_array_equal(whiten, np.tril(whiten))
    assert (np.linalg.eigvalsh(double)[:, 0] > 0).all()
    factor = np.linalg.inv(whiten.astype("float64"))
    error = np.abs(factor @ factor.swapaxes(1, 2) - double) / mean_variance(out)
    if cov.dtype == "float32":
        # Pivots are as small as the jitter, so W W' is not; the factor itself is, to rounding.
        assert error.max() < 3 * REG
    else:
        assert error.max() < 1e-13
        eye = np.broadcast_to(np.eye(cov.shape[-1]), cov.shape)
        np.testing.assert_allclose(whitened(out, whiten), eye, atol=1e-8)
    off_diagonal = ~np.eye(cov.shape[-1], dtype=bool)
    np.testing.assert_array_equal(out[:, off_diagonal], cov[:, off_diagonal])
    assert (np.abs(double - cov) <= 2e-5 * mean_variance(cov) + 2 * VARIANCE_FLOOR).all()


@given(seed=st.integers(0, 2**32 - 1), n_dim=st.integers(1, 12), rank=st.integers(1, 12))
@bounded
def test_the_inverse_factor_whitens_the_covariance_that_is_returned(seed, n_dim, rank):
    cov = covariances(n_dim, seed, rank=min(rank, n_dim))
    assert_usable(cov, *whitening(cov, REG))


@SIZES
@DTYPES
def test_singular_and_slightly_indefinite_covariances_are_repaired(n_dim, dtype):
    cov = kinds(n_dim, dtype)
    assert_usable(cov, *whitening(cov, REG))


@given(seed=st.integers(0, 2**32 - 1), n_dim=st.integers(2, 12))
@bounded
def test_rounding_in_float32_never_costs_more_than_a_little_jitter(seed, n_dim):
    cov = rounded(n_dim, seed, "float32")
    assert_usable(cov, *whitening(cov, REG))


@SIZES
def test_a_healthy_covariance_gets_the_relative_jitter_and_nothing_else(n_dim):
    cov = covariances(n_dim)
    out, whiten = whitening(cov, REG)
    want = cov + REG * mean_variance(cov) * np.eye(n_dim)
    np.testing.assert_allclose(out, want, rtol=1e-14)
    np.testing.assert_allclose(whiten, np.linalg.inv(np.linalg.cholesky(want)), atol=1e-9)


@SIZES
def test_without_jitter_a_healthy_covariance_comes_back_as_it_is(n_dim):
    cov = covariances(n_dim)
    np.testing.assert_array_equal(whitening(cov, 0.0)[0], cov)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_dim=st.integers(1, 12),
    rank=st.integers(1, 12),
    exponent=st.floats(-4, 4),
)
@bounded
def test_units_do_not_matter(seed, n_dim, rank, exponent):
    scale = 10.0**exponent
    cov = covariances(n_dim, seed, rank=min(rank, n_dim))
    out, whiten = whitening(cov, REG)
    out_scaled, whiten_scaled = whitening(cov * scale, REG)
    np.testing.assert_allclose(out_scaled, np.asarray(out) * scale, rtol=1e-9)
    size = np.abs(whiten).max() / np.sqrt(scale)
    np.testing.assert_allclose(
        whiten_scaled, np.asarray(whiten) / np.sqrt(scale), rtol=1e-7, atol=1e-7 * size
    )


@pytest.mark.parametrize("n_dim", [SMALL, LARGE])
def test_both_ways_to_factor_agree(monkeypatch, n_dim):
    cov = covariances(n_dim)
    first = whitening(cov, REG)
    other = 0 if n_dim <= UNROLL_UP_TO else n_dim
    monkeypatch.setattr("aegmm_detect.numerics.cholesky.UNROLL_UP_TO", other)
    for got, want in zip(whitening(cov, REG), first, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


@SIZES
@DTYPES
def test_gradients_are_finite(n_dim, dtype):
    cov = tf.constant(kinds(n_dim, dtype))
    with tf.GradientTape() as tape:
        tape.watch(cov)
        out, whiten = whitening(cov, REG)
        # The two ways in which a loss uses them: log-determinant and inverse variances.
        loss = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(whiten)))
        loss += tf.reduce_sum(1.0 / tf.linalg.diag_part(out))
    assert np.isfinite(tape.gradient(loss, cov)).all()


@SIZES
def test_the_gradient_is_that_of_small_changes(n_dim):
    """Along one symmetric direction, for a loss that reads every entry of both results."""
    rng = np.random.default_rng(5)
    start = covariances(n_dim)
    start += mean_variance(start) * np.eye(n_dim)
    direction = rng.normal(size=start.shape)
    direction += direction.swapaxes(1, 2)
    weights = [np.tril(rng.normal(size=start.shape)), rng.normal(size=start.shape)]

    def loss(cov):
        out, whiten = whitening(cov, REG)
        return tf.reduce_sum(weights[0] * whiten) + tf.reduce_sum(weights[1] * out)

    cov = tf.constant(start)
    with tf.GradientTape() as tape:
        tape.watch(cov)
        value = loss(cov)
    slope = np.sum(tape.gradient(value, cov) * direction)
    step = 1e-4 * np.linalg.eigvalsh(start).min() / np.abs(direction).max()
    change = loss(cov + step * direction) - loss(cov - step * direction)
    np.testing.assert_allclose(slope, change / (2 * step), rtol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("n_dim", [SMALL, LARGE])
def test_compiled_and_eager_agree(n_dim, jit_compile):
    cov = tf.constant(kinds(n_dim))
    compiled = tf.function(whitening, jit_compile=jit_compile, autograph=False)
    for got, want in zip(compiled(cov, REG), whitening(cov, REG), strict=True):
        size = np.abs(want).max(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(got / size, want / size, atol=1e-6)
    assert_usable(cov.numpy(), *compiled(cov, REG))
