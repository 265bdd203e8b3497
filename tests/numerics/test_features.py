import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aegmm_detect.numerics import features

bounded = settings(max_examples=30)

FUNCTIONS = (
    features.euclidean,
    features.log_euclidean,
    features.relative_euclidean,
    features.mean_squared,
    features.negative_cosine,
    features.eucl_cosim_features,
    features.eucl_cosim_features_alibi,
)
every_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)

# Zero, or large enough that squares do not underflow.
numbers = st.just(0.0) | st.floats(1e-3, 100) | st.floats(-100, -1e-3)


@st.composite
def pairs(draw):
    """Rows and reconstructions of one shape."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 4)))
    rows = hnp.arrays(np.float64, shape, elements=numbers)
    return draw(rows), draw(rows)


def sample(shape=(5, 4), seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)


def length(x):
    return np.sqrt((x**2).sum(axis=1, keepdims=True))


def relative(x, x_recon, minus=1e-12):
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = length(x - x_recon) / np.maximum(np.minimum(length(x), length(x_recon)), minus)
    return np.clip(ratio, 0, 100)


def negative_cosine(x, x_recon):
    norms = length(x) * length(x_recon)
    return -(x * x_recon).sum(axis=1, keepdims=True) / np.where(norms > 0, norms, 1)


FORMULAS = {
    features.euclidean: lambda x, y: length(x - y),
    features.log_euclidean: lambda x, y: np.log(length(x - y) + 1e-3),
    features.relative_euclidean: relative,
    features.mean_squared: lambda x, y: ((x - y) ** 2).mean(axis=1, keepdims=True),
    features.negative_cosine: negative_cosine,
    features.eucl_cosim_features: lambda x, y: np.hstack([negative_cosine(x, y), relative(x, y)]),
}


@pytest.mark.parametrize("function", FORMULAS, ids=lambda f: f.__name__)
@given(pair=pairs())
@bounded
def test_features_follow_their_formulas(function, pair):
    np.testing.assert_allclose(function(*pair), FORMULAS[function](*pair), rtol=1e-12, atol=1e-12)


@given(pair=pairs())
@bounded
def test_the_slipped_feature_divides_by_the_smaller_norm_minus_one(pair):
    x, x_recon = pair
    smaller = np.minimum(length(x), length(x_recon))
    cosine, slipped = np.hsplit(np.asarray(features.eucl_cosim_features_alibi(x, x_recon)), 2)
    np.testing.assert_array_equal(cosine, features.negative_cosine(x, x_recon))
    assert (slipped[smaller < 1] == 0).all()
    assert ((slipped >= 0) & (slipped <= 100)).all()
    above = smaller > 1 + 1e-9
    want = np.clip(length(x - x_recon)[above] / (smaller[above] - 1), 0, 100)
    np.testing.assert_allclose(slipped[above], want, rtol=1e-6)


def test_the_slipped_feature_is_far_from_the_documented_one():
    x = np.full((1, 9), 2.0)  # norm 6
    documented = np.asarray(features.eucl_cosim_features(x, 0.9 * x))
    slipped = np.asarray(features.eucl_cosim_features_alibi(x, 0.9 * x))
    np.testing.assert_allclose(documented, [[-1.0, 0.6 / 5.4]])
    np.testing.assert_allclose(slipped, [[-1.0, 0.6 / 4.4]])


def test_at_the_pole_the_slipped_feature_has_its_upper_end():
    x = np.array([[1.0, 0.0]])
    assert features.eucl_cosim_features_alibi(x, 2 * x)[0, 1] == 100
    assert features.eucl_cosim_features_alibi(x, x)[0, 1] == 0


def test_sign_and_order_of_the_default_features():
    """First the negative cosine (-1 perfect, 1 opposite), then the distance (0 perfect)."""
    x = np.array([[3.0, 4.0]] * 4)
    x_recon = x * np.array([[1.0], [2.0], [-1.0], [0.0]])
    want = [[-1, 0], [-1, 1], [1, 2], [0, 100]]
    np.testing.assert_allclose(features.eucl_cosim_features(x, x_recon), want, atol=1e-12)


@every_function
def test_perfect_reconstructions_have_the_smallest_value(function):
    x, other = sample()
    x, other = 10 * x, 10 * other
    assert (np.asarray(function(x, x)) <= np.asarray(function(x, other)) + 1e-12).all()


def edge_cases(dtype):
    x, x_recon = sample(dtype=dtype)
    zero, tiny = np.zeros_like(x), np.full_like(x, 1e-15)
    unit = x / length(x)
    return {
        "zero row": (zero, x_recon),
        "zero reconstruction": (x, zero),
        "both zero": (zero, zero),
        "exact": (x, x.copy()),
        "tiny": (tiny, x_recon),
        "both tiny": (tiny, -tiny),
        "unit norm": (unit, 2 * unit),
        "huge": (1e9 * x, 1e9 * x_recon),
    }


@every_function
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", edge_cases("float32"))
def test_values_and_gradients_are_finite_at_the_edges(function, dtype, case):
    x, x_recon = map(tf.constant, edge_cases(dtype)[case])
    with tf.GradientTape() as tape:
        tape.watch([x, x_recon])
        values = function(x, x_recon)
        loss = tf.reduce_sum(values)
    assert values.dtype == dtype
    assert np.isfinite(values).all()
    for gradient in tape.gradient(loss, [x, x_recon]):
        assert gradient is not None
        assert np.isfinite(gradient).all()


@every_function
def test_images_are_flattened(function):
    images = sample((5, 3, 2, 1))
    rows = [image.reshape(5, 6) for image in images]
    np.testing.assert_array_equal(function(*images), function(*rows))


@every_function
def test_a_row_has_the_same_features_in_any_company(function):
    x, x_recon = sample()
    whole = np.asarray(function(x, x_recon))
    assert whole.shape[0] == len(x)
    one_by_one = [function(x[i : i + 1], x_recon[i : i + 1])[0] for i in range(len(x))]
    np.testing.assert_allclose(whole, one_by_one, rtol=1e-12)


def users_own(x, x_recon):
    return keras.ops.max(keras.ops.abs(x - x_recon), axis=-1, keepdims=True)


def test_concat_puts_features_side_by_side_in_the_order_given():
    x, x_recon = sample()
    parts = (features.log_euclidean, users_own, features.eucl_cosim_features)
    together = features.concat(*parts)(x, x_recon)
    assert together.shape == (5, 4)
    np.testing.assert_array_equal(together, np.hstack([part(x, x_recon) for part in parts]))
    backwards = features.concat(*parts[::-1])(x, x_recon)
    np.testing.assert_array_equal(backwards, np.hstack([part(x, x_recon) for part in parts[::-1]]))


def test_concat_names_its_parts():
    function = features.concat(features.euclidean, features.concat(features.negative_cosine))
    assert repr(function) == "concat(euclidean, concat(negative_cosine))"


@pytest.mark.parametrize(
    "function",
    [
        *FUNCTIONS,
        features.concat(*FUNCTIONS),
        features.concat(features.concat(features.euclidean), features.mean_squared),
    ],
    ids=lambda f: getattr(f, "__name__", repr(f)[:20]),
)
def test_keras_saves_and_loads_every_feature(function):
    config = keras.saving.serialize_keras_object(function)
    loaded = keras.saving.deserialize_keras_object(config)
    np.testing.assert_array_equal(loaded(*sample()), function(*sample()))
    assert keras.saving.serialize_keras_object(loaded) == config


def test_concats_of_the_same_functions_are_equal():
    one = features.concat(features.euclidean, features.negative_cosine)
    assert one == features.concat(features.euclidean, features.negative_cosine)
    assert hash(one) == hash(features.concat(features.euclidean, features.negative_cosine))
    assert one != features.concat(features.negative_cosine, features.euclidean)
    assert one != features.euclidean


def test_the_relative_distance_ends_at_the_limit_that_is_given():
    x = np.array([[1e-6, 0.0], [1.0, 0.0]], dtype="float32")
    x_recon = np.array([[1.0, 0.0], [3.0, 0.0]], dtype="float32")
    found = np.asarray(features.eucl_cosim_features(x, x_recon, max_eucl=5.0))
    np.testing.assert_allclose(found, [[-1.0, 5.0], [-1.0, 2.0]], rtol=1e-6)
    assert features.eucl_cosim_features(x, x_recon)[0, 1] == 100
