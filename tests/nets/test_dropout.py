import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.nets.dropout import Dropout

bounded = settings(max_examples=20)
ONES = np.ones((400, 50), dtype="float32")


def numpy_of(value):
    return keras.ops.convert_to_numpy(value)


@pytest.mark.parametrize("rate", [0.0, 0.5])
@pytest.mark.parametrize("mode", [{}, {"training": False}])
def test_inference_is_the_identity(rate, mode):
    np.testing.assert_array_equal(Dropout(rate)(ONES, **mode), ONES)


def test_a_rate_of_zero_is_the_identity_in_training_too():
    np.testing.assert_array_equal(Dropout(0.0)(ONES, training=True), ONES)


@given(rate=st.floats(0.05, 0.95), seed=st.integers(0, 2**31 - 1))
@bounded
def test_training_drops_the_rate_and_keeps_the_mean(rate, seed):
    dropped = numpy_of(Dropout(rate, seed=seed)(ONES, training=True))
    # 20,000 draws: six standard deviations.
    within = 6 * np.sqrt(rate * (1 - rate) / ONES.size)
    assert np.mean(dropped == 0) == pytest.approx(rate, abs=within)
    assert dropped.mean() == pytest.approx(1, abs=within / (1 - rate))
    np.testing.assert_allclose(dropped[dropped != 0], 1 / (1 - rate), rtol=1e-6)


def test_gradients_flow_through_what_was_kept_only():
    x = tf.constant(ONES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        dropped = Dropout(0.3, seed=1)(x, training=True)
    np.testing.assert_array_equal(tape.gradient(dropped, x), dropped)


def test_masks_follow_from_the_state_of_the_seed_generator():
    first, second, other = Dropout(0.5, seed=3), Dropout(0.5, seed=3), Dropout(0.5, seed=4)
    masks = [numpy_of(first(ONES, training=True)) for _ in range(3)]
    for mask in masks:
        np.testing.assert_array_equal(second(ONES, training=True), mask)
    assert (masks[0] != masks[1]).any()
    assert (masks[0] != numpy_of(other(ONES, training=True))).any()
    # What a seeded fit does: put the state back.
    first.seed_generator.state.assign(Dropout(0.5, seed=3).seed_generator.state)
    np.testing.assert_array_equal(first(ONES, training=True), masks[0])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_masks_repeat_and_keep_the_rate(jit_compile):
    def draw():
        layer = Dropout(0.3, seed=3)
        call = tf.function(lambda x: layer(x, training=True), jit_compile=jit_compile)
        return numpy_of(call(tf.constant(ONES)))

    mask = draw()
    np.testing.assert_array_equal(draw(), mask)
    assert np.mean(mask == 0) == pytest.approx(0.3, abs=0.02)
    if not jit_compile:  # XLA lays out its random numbers in another way
        np.testing.assert_array_equal(Dropout(0.3, seed=3)(ONES, training=True), mask)


@pytest.mark.parametrize("seed", [2, 42])
def test_no_mask_comes_back_in_a_long_training(seed):
    layer = Dropout(0.5, seed=seed)
    x = tf.ones((8, 16))

    @tf.function(autograph=False)
    def draw():
        return tf.map_fn(lambda _: layer(x, training=True), tf.range(4000), dtype=tf.float32)

    masks = numpy_of(draw()).reshape(4000, -1) > 0
    assert len(np.unique(masks, axis=0)) == 4000


@pytest.mark.parametrize("noise_shape", [(None, 1), (1, 50), (400, 1)])
def test_a_noise_shape_is_shared_along_its_ones(noise_shape):
    dropped = numpy_of(Dropout(0.5, noise_shape=noise_shape, seed=0)(ONES, training=True))
    axis = noise_shape.index(1)
    assert (dropped == np.take(dropped, [0], axis=axis)).all()
    assert 0.1 < np.mean(dropped == 0) < 0.9


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_in_is_dtype_out(dtype):
    layer = Dropout(0.5, dtype=dtype)
    assert numpy_of(layer(ONES.astype(dtype), training=True)).dtype == dtype


def test_the_layer_survives_its_configuration():
    layer = Dropout(0.25, noise_shape=(None, 1), seed=9, name="drop")
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(loaded) is Dropout
    assert loaded.get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(ONES, training=True), layer(ONES, training=True))


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        Dropout(rate)


def test_a_rate_of_one_drops_everything():
    np.testing.assert_array_equal(Dropout(1.0, seed=0)(ONES, training=True), 0 * ONES)
