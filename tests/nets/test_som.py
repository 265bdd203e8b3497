import copy

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.configs.maps import MapTraining
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.som import WinnerCoordinates, winner_net
from aegmm_detect.numerics.som import winner_coordinates
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.training.maps import train_maps

X = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float32)
# Rows that repeat: the maps have nodes that are as good as equal.
X[300:] = X[0]


@pytest.fixture(scope="module")
def maps():
    return train_maps(X, [5, 8], 0, MapTraining(n_steps=1000))


def numpy_of(net, rows):
    return keras.ops.convert_to_numpy(net(rows))


def test_the_layer_is_the_function(maps):
    got = numpy_of(winner_net(maps), X)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, winner_coordinates(X, maps))


@given(n=st.integers(1, 64), scale=st.sampled_from([1e-6, 1.0, 1e6]), seed=st.integers(0, 99))
@settings(max_examples=15)
def test_it_is_for_rows_near_and_far_and_any_number_of_them(maps, n, scale, seed):
    rows = (scale * np.random.default_rng(seed).normal(size=(n, 6))).astype(np.float32)
    np.testing.assert_array_equal(numpy_of(winner_net(maps), rows), winner_coordinates(rows, maps))


def test_a_layer_by_itself_can_be_filled(maps):
    layer = WinnerCoordinates([5, 8], 6)
    layer.set_maps(maps)
    np.testing.assert_array_equal(numpy_of(layer, X), winner_coordinates(X, maps))


def test_compiled_it_is_the_same(maps):
    net = winner_net(maps)
    compiled = tf.function(net, jit_compile=True)
    np.testing.assert_array_equal(compiled(tf.constant(X)), numpy_of(net, X))


def test_saving_and_copying_change_nothing(maps, tmp_path):
    net = winner_net(maps)
    net.save(tmp_path / "winners.keras")
    loaded = keras.saving.load_model(tmp_path / "winners.keras")
    for other in (loaded, copy.deepcopy(net)):
        np.testing.assert_array_equal(numpy_of(other, X), numpy_of(net, X))
    assert loaded.layers[-1].get_config() == net.layers[-1].get_config()


def test_more_axes_of_features_are_flattened(maps):
    net = winner_net(maps, row_shape=(3, 2))
    np.testing.assert_array_equal(numpy_of(net, X.reshape(-1, 3, 2)), numpy_of(winner_net(maps), X))


def test_nothing_is_trained_and_no_gradient_flows(maps):
    net = winner_net(maps)
    assert net.trainable_variables == []
    net.trainable = True
    assert net.trainable_variables == []
    rows = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        total = tf.reduce_sum(rows) + tf.reduce_sum(net(rows))
    np.testing.assert_array_equal(tape.gradient(total, rows), np.ones_like(X))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_rows_without_a_nearest_node_get_some_place(maps, value):
    rows = X[:4].copy()
    rows[1, 2] = value
    got = numpy_of(winner_net(maps), rows)
    assert ((got >= 0.0) & (got <= 1.0)).all()
    np.testing.assert_array_equal(got[[0, 2, 3]], winner_coordinates(rows[[0, 2, 3]], maps))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_winners_do_not_depend_on_the_precision_of_other_layers(maps, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        got = numpy_of(winner_net(maps), X)
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_array_equal(got, winner_coordinates(X, maps))


@pytest.fixture(scope="module")
def around_it(maps):
    """A detector whose z holds winner coordinates, trained."""
    x = keras.Input((6,))
    code = keras.layers.Dense(1)(x)
    z = keras.layers.Concatenate()([code, winner_net(maps)(x)])
    gamma = keras.layers.Dense(2, activation="softmax")(z)
    net = keras.Model(x, [keras.layers.Dense(6)(code), z, gamma])
    detector = OutlierAEGMM(threshold=0.0, aegmm=net)
    detector.fit(X[:300], epochs=1, verbose=0, seed=0, jit_compile=False)
    return detector


@pytest.mark.parametrize(
    ("format", "packages"),
    [("onnx", ("tf2onnx", "onnxruntime")), ("litert", ("ai_edge_litert",)), ("savedmodel", ())],
)
def test_a_detector_around_it_trains_and_is_exported(around_it, format, packages, tmp_path):
    """The export compares the graph's scores with the detector's, and raises if they differ."""
    for package in packages:
        pytest.importorskip(package)
    assert around_it.export(tmp_path / format, format, X=X).format == format


def test_rows_and_maps_of_other_shapes_are_refused(maps):
    with pytest.raises(ConfigurationError, match=r"of 6 features; got rows of shape \(4,\)"):
        winner_net(maps, row_shape=(4,))
    with pytest.raises(ConfigurationError, match=r"Maps of shapes \[\(5, 5, 6\), \(8, 8, 5\)\]"):
        winner_net([maps[0], maps[1][..., :5]])
    with pytest.raises(ConfigurationError, match=r"Maps of shapes \[\(5, 8, 6\)\]"):
        winner_net([np.zeros((5, 8, 6), np.float32)])
    with pytest.raises(ConfigurationError, match=r"sides=\[\]"):
        winner_net([])
    with pytest.raises(ConfigurationError, match=r"sides=\[1\]"):
        WinnerCoordinates([1], 6)
