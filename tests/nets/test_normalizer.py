import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.training import scaling
from aegmm_detect.training.scaling import normalizer_fit

SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler}
KINDS = pytest.mark.parametrize("kind", SCALERS)
bounded = settings(max_examples=15)


def fit(kind, *batches):
    fitting = normalizer_fit(kind)
    for batch in batches:
        fitting.update(batch)
    return fitting.finish(batches[0].shape[1:])


def sample(seed=0, shape=(50, 4)):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * 10 ** rng.uniform(-3, 3, shape[1:]) + rng.normal(size=shape[1:])


def numpy_of(layer, batch):
    return keras.ops.convert_to_numpy(layer(batch))


@KINDS
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 49))
@bounded
def test_batches_are_scaled_as_scikit_learn_scales_the_whole(kind, seed, cut):
    X = sample(seed)
    got = fit(kind, X[:cut], X[cut:]).transform(X)
    np.testing.assert_allclose(got, SCALERS[kind]().fit_transform(X), rtol=1e-5, atol=1e-6)


@KINDS
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "int64", "uint8"])
def test_the_layer_and_numpy_agree_in_every_dtype(kind, dtype):
    X = np.random.default_rng(0).integers(0, 100, (50, 4)).astype(dtype)
    normalizer = fit(kind, X)
    got, want = numpy_of(normalizer, X), normalizer.transform(X)
    assert got.dtype == want.dtype == np.float32
    np.testing.assert_array_equal(got, want)
    compiled = tf.function(normalizer, jit_compile=True)
    np.testing.assert_allclose(compiled(tf.constant(X)), want, rtol=1e-6)


@KINDS
@pytest.mark.parametrize("value", [0.0, -3.7, 1e9])
def test_a_constant_column_becomes_zero_and_stays_comparable(kind, value):
    """Its scale is 1: another value later is as far from 0 as it is from the constant."""
    X = sample()
    X[:, 1] = value
    normalizer = fit(kind, X[:20], X[20:])
    scaled = normalizer.transform(X)
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(scaled[:, 1], 0.0, atol=1e-6)
    X[:, 1] += 2.5
    np.testing.assert_allclose(normalizer.transform(X)[:, 1], 2.5, atol=1e-6)


@KINDS
def test_timestamps_keep_what_is_left_after_the_subtraction(kind):
    """In float32 two seconds of the year 2020 differ by 0 or by 128."""
    X = 1_577_836_800.0 + np.arange(100.0)[:, None]
    normalizer = fit(kind, X)
    want = SCALERS[kind]().fit_transform(X)
    for got in (normalizer.transform(X), numpy_of(normalizer, X)):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
        steps = np.diff(got[:, 0])
        np.testing.assert_allclose(steps, steps.mean(), rtol=1e-3)


@KINDS
def test_images_are_scaled_pixel_by_pixel(kind):
    X = sample(shape=(20, 3, 2, 1))
    normalizer = fit(kind, X)
    flat = fit(kind, X.reshape(20, 6)).transform(X.reshape(20, 6))
    np.testing.assert_array_equal(normalizer.transform(X), flat.reshape(X.shape))
    np.testing.assert_array_equal(numpy_of(normalizer, X), flat.reshape(X.shape))


@KINDS
def test_a_single_row_can_be_scaled(kind):
    X = sample(shape=(1, 4))
    np.testing.assert_array_equal(fit(kind, X).transform(X), np.zeros((1, 4), "float32"))


@KINDS
def test_the_layer_survives_its_configuration(kind):
    normalizer = fit(kind, sample(shape=(20, 3, 2)))
    config = keras.saving.serialize_keras_object(normalizer)
    loaded = keras.saving.deserialize_keras_object(config)
    assert isinstance(loaded, Normalizer)
    np.testing.assert_array_equal(loaded.offset, normalizer.offset)
    np.testing.assert_array_equal(loaded.scale, normalizer.scale)


def test_rows_are_left_as_they_are():
    X = sample()
    before = X.copy()
    fit("standard", X).transform(X)
    np.testing.assert_array_equal(X, before)


# --- robust: median, interquartile range, then the inverse hyperbolic sine ----------------------


def by_percentiles(X):
    lower, median, upper = np.percentile(X, [25, 50, 75], axis=0)
    return np.arcsinh((X - median) / (upper - lower))


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 49))
@bounded
def test_robust_batches_are_scaled_by_the_percentiles_of_the_whole(seed, cut):
    X = sample(seed)
    got = fit("robust", X[:cut], X[cut:]).transform(X)
    np.testing.assert_allclose(got, by_percentiles(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "int64", "uint8"])
def test_the_robust_layer_and_numpy_agree_in_every_dtype(dtype):
    X = np.random.default_rng(0).integers(0, 100, (50, 4)).astype(dtype)
    normalizer = fit("robust", X)
    got, want = numpy_of(normalizer, X), normalizer.transform(X)
    assert got.dtype == want.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-6)
    np.testing.assert_allclose(got, by_percentiles(X.astype(np.float64)), rtol=1e-5, atol=1e-6)
    compiled = tf.function(normalizer, jit_compile=True)
    np.testing.assert_allclose(compiled(tf.constant(X)), want, rtol=1e-6)


@pytest.mark.parametrize("far", [1e6, 1e12, 1e30])
def test_far_rows_of_robust_scaling_are_apart_and_the_same_in_both(far):
    X = sample()
    normalizer = fit("robust", X)
    rows = far * np.array([-2.0, -1.0, 1.0, 2.0])[:, None] * np.ones(4)
    got, want = numpy_of(normalizer, rows), normalizer.transform(rows)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert (np.diff(want, axis=0) > 0.1).all()
    assert np.abs(want).max() < 100


@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3))
@bounded
def test_robust_scaling_does_not_depend_on_the_unit(seed, factor, shift):
    X = sample(seed)
    other = factor * X + factor * shift
    got, want = fit("robust", other).transform(other), fit("robust", X).transform(X)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_a_column_that_is_half_constant_is_scaled_by_its_deviation():
    X = sample(shape=(100, 4))
    X[:, 1] = np.repeat([-50.0, 3.0, 1e4], [20, 60, 20])
    X[:, 2] = np.arange(100) % 5 == 0  # a dummy
    scaled = fit("robust", X[:30], X[30:]).transform(X)
    want = by_percentiles(X[:, [0, 3]])
    np.testing.assert_allclose(scaled[:, [0, 3]], want, rtol=1e-5, atol=1e-6)
    for column in (1, 2):
        values = X[:, column]
        want = np.arcsinh((values - np.median(values)) / values.std())
        np.testing.assert_allclose(scaled[:, column], want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, -3.7, 1e9])
def test_a_constant_column_becomes_zero_in_robust_scaling_too(value):
    X = sample()
    X[:, 1] = value
    normalizer = fit("robust", X[:20], X[20:])
    np.testing.assert_allclose(normalizer.transform(X)[:, 1], 0.0, atol=1e-6)
    X[:, 1] += 2.5
    np.testing.assert_allclose(normalizer.transform(X)[:, 1], np.arcsinh(2.5), atol=1e-6)


@given(cuts=st.lists(st.integers(1, 499), max_size=6, unique=True))
@bounded
def test_robust_scaling_of_many_rows_does_not_depend_on_how_they_are_cut(cuts):
    X = np.random.default_rng(0).lognormal(size=(500, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaling, "_MOST_ROWS", 64)
        got, want = fit("robust", *np.split(X, sorted(cuts))), fit("robust", X)
    np.testing.assert_allclose(got.offset, want.offset, rtol=1e-12)
    np.testing.assert_allclose(got.scale, want.scale, rtol=1e-12)


def test_robust_scaling_of_many_rows_holds_few_and_draws_from_all(monkeypatch):
    monkeypatch.setattr(scaling, "_MOST_ROWS", 1000)
    fitting = scaling.normalizer_fit("robust")
    # Rows in order: the first or the last thousand would be far off.
    X = np.arange(20_000.0)[:, None]
    for batch in np.array_split(X, 37):
        fitting.update(batch)
        assert len(fitting._rows) == len(fitting._keys) <= 1000
    normalizer = fitting.finish((1,))
    np.testing.assert_allclose(normalizer.offset, 10_000, rtol=0.1)
    np.testing.assert_allclose(normalizer.scale, 10_000, rtol=0.1)


def test_robust_scaling_of_images_is_pixel_by_pixel():
    X = sample(shape=(20, 3, 2, 1))
    flat = fit("robust", X.reshape(20, 6)).transform(X.reshape(20, 6))
    normalizer = fit("robust", X)
    np.testing.assert_array_equal(normalizer.transform(X), flat.reshape(X.shape))
    np.testing.assert_allclose(numpy_of(normalizer, X), flat.reshape(X.shape), rtol=1e-6)


def test_the_robust_layer_survives_its_configuration():
    X = sample(shape=(20, 3, 2))
    normalizer = fit("robust", X)
    config = keras.saving.serialize_keras_object(normalizer)
    loaded = keras.saving.deserialize_keras_object(config)
    assert loaded.squash
    assert not fit("standard", X).squash
    np.testing.assert_array_equal(loaded.transform(X), normalizer.transform(X))
    np.testing.assert_array_equal(numpy_of(loaded, X), numpy_of(normalizer, X))
