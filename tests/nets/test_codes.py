"""Laws of the kinds of code."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aegmm_detect.nets.codes import GaussianCode, QuantizedCode, divergence

RNG = np.random.default_rng(0)
HIDDEN = RNG.normal(size=(200, 5)).astype("float32")


def numpy(value):
    return keras.ops.convert_to_numpy(value)


@given(st.floats(-3.0, 3.0), st.floats(-4.0, 4.0))
def test_the_divergence_is_that_of_two_normal_distributions(mean, log_variance):
    q, p = stats.norm(mean, np.exp(0.5 * log_variance)), stats.norm()
    # Gauss-Hermite quadrature, exact for the square in the exponent.
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    x = q.mean() + q.std() * nodes
    want = np.sum(weights * (q.logpdf(x) - p.logpdf(x))) / np.sum(weights)
    got = divergence(*(keras.ops.convert_to_tensor(v, "float64") for v in (mean, log_variance)))
    assert float(got) == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_a_gaussian_code_is_its_mean_in_inference_and_spreads_as_it_says_in_training():
    code = GaussianCode.of_width(2, seed=1)
    mean, extras = code(HIDDEN)
    want, log_variance = code.distribution(HIDDEN)
    np.testing.assert_array_equal(numpy(mean), numpy(want))
    np.testing.assert_allclose(
        numpy(extras["kl"]), numpy(divergence(want, log_variance)).mean(axis=-1), rtol=1e-5
    )
    many = np.tile(HIDDEN, (2000, 1))
    draws = numpy(code(many, training=True)[0]).reshape(2000, *mean.shape)
    deviation = np.exp(0.5 * numpy(log_variance))
    error = (draws.mean(axis=0) - numpy(mean)) / deviation * np.sqrt(len(draws))
    assert np.abs(error).max() < 5.0
    np.testing.assert_allclose(draws.std(axis=0), deviation, rtol=0.1)


def test_noise_that_is_given_takes_the_place_of_a_draw():
    code = GaussianCode.of_width(2, seed=1)
    mean, log_variance = map(numpy, code.distribution(HIDDEN))
    noise = np.array([1.0, -2.0], dtype="float32")
    for training in (True, False):
        drawn, _ = code(HIDDEN, training=training, noise=noise)
        np.testing.assert_allclose(
            numpy(drawn), mean + np.exp(0.5 * log_variance) * noise, rtol=1e-5, atol=1e-6
        )


def quantized(n_codes=4, width=5, **settings):
    code = QuantizedCode(n_codes, width, **settings)
    code.build((None, width))
    code.start(HIDDEN[:n_codes])
    return code


def test_every_row_gets_the_nearest_code_vector():
    code = quantized()
    got, extras = code(HIDDEN)
    distances = np.square(HIDDEN[:, None] - HIDDEN[None, :4]).sum(axis=2)
    nearest = distances.argmin(axis=1)
    np.testing.assert_array_equal(numpy(code.nearest(HIDDEN)), nearest)
    np.testing.assert_allclose(numpy(got), HIDDEN[nearest], atol=1e-6)
    np.testing.assert_allclose(
        numpy(extras["commitment"]), distances.min(axis=1) / 5, rtol=1e-4, atol=1e-6
    )
    share = np.bincount(nearest, minlength=4) / len(HIDDEN)
    assert float(extras["perplexity"]) == pytest.approx(np.exp(stats.entropy(share)), rel=1e-4)


def test_the_gradient_passes_straight_through():
    import tensorflow as tf

    code, hidden = quantized(), tf.constant(HIDDEN)
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        total = tf.reduce_sum(code(hidden)[0] * tf.constant(HIDDEN))
    np.testing.assert_allclose(numpy(tape.gradient(total, hidden)), HIDDEN, rtol=1e-6)


def test_code_vectors_go_to_the_means_of_the_rows_that_choose_them():
    centres = 10.0 * np.eye(4, 5, dtype="float32")
    rows = np.repeat(centres, 50, axis=0) + 0.1 * HIDDEN
    code = quantized(decay=0.5)
    code.start(centres + 1.0)
    for _ in range(60):
        code(rows, training=True)
    want = rows.reshape(4, 50, 5).mean(axis=1)
    np.testing.assert_allclose(numpy(code.codebook), want, atol=1e-3)
    before = numpy(code.codebook)
    code(rows)
    np.testing.assert_array_equal(numpy(code.codebook), before)  # nothing moves in inference


def test_a_code_vector_that_no_row_chooses_is_put_where_rows_are():
    code = quantized(decay=0.5)
    far = HIDDEN[:4].copy()
    far[3] = 1e3
    code.start(far)
    for _ in range(8):
        code(HIDDEN, training=True)
    assert np.abs(numpy(code.codebook)).max() < 10.0
    assert len(np.unique(numpy(code.nearest(HIDDEN)))) == 4


@pytest.mark.parametrize(
    "code", [GaussianCode.of_width(3, seed=2), QuantizedCode(6, 5)], ids=["gaussian", "quantized"]
)
def test_a_file_holds_all_of_a_code(code, tmp_path):
    if isinstance(code, QuantizedCode):
        code.build((None, 5))
        code.start(HIDDEN[:6])
    want, _ = code(HIDDEN)
    code.save(tmp_path / "code.keras")
    other = keras.saving.load_model(tmp_path / "code.keras", compile=False)
    np.testing.assert_array_equal(numpy(other(HIDDEN)[0]), numpy(want))
