"""The trainer against a plain loop, and the parts around it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.objective import ForwardPass, aegmm_terms, evaluate
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.od.objective import MixtureLoss
from aegmm_detect.programs.tracing import has_gradient, refuses_graph
from aegmm_detect.training.data import ArrayRows, array_blocks, plan
from aegmm_detect.training.estimate import estimate_mixture
from aegmm_detect.training.fit import FitOptions, fit
from aegmm_detect.training.optimizers import make_optimizer
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.training.seeding import seed_random_layers

OBJECTIVE = MixtureLoss(aegmm_terms(), {}).objective


@pytest.fixture
def net(make_nets):
    nets = make_nets()
    return AEGMM(nets["encoder_net"], nets["decoder_net"], nets["gmm_density_net"])


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_fit_is_the_textbook_loop_over_its_batches(make_nets, net, normal_rows, mode):
    """By XLA it is the same step as by a graph: see `tests/od/test_aegmm.py`."""
    rows = normal_rows[:130]
    config = FitConfig(epochs=2, batch_size=32, seed=5, jit_compile=False)
    prepared = TrainingRows(ArrayRows(rows), None, None, (6,))
    options = FitOptions(keras.optimizers.Adam(1e-3), verbose=0)
    history = fit(net, OBJECTIVE, prepared, config, options, eager=mode == "eager")

    nets = make_nets()
    reference = AEGMM(nets["encoder_net"], nets["decoder_net"], nets["gmm_density_net"])
    reference(rows[:2])
    optimizer, losses = keras.optimizers.Adam(1e-3), []
    blocks = array_blocks(ArrayRows(rows), plan(130, 32, 512), seed=5)
    for block, n_steps in blocks.dataset.take(2):
        for batch in block[: int(n_steps)]:
            with tf.GradientTape() as tape:
                out = ForwardPass(batch, *reference(batch, training=True))
                loss = evaluate(aegmm_terms(), out)["loss"]
            weights = reference.trainable_variables
            optimizer.apply(tape.gradient(loss, weights), weights)
            losses.append(float(loss))
    for got, want in zip(net.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-5)
    epochs = np.array(losses).reshape(2, 5).mean(axis=1)
    np.testing.assert_allclose(history.history["loss"], epochs, rtol=1e-5)


@pytest.mark.parametrize("size", [7, 64, 600])
def test_the_mixture_does_not_depend_on_how_rows_are_batched(net, normal_rows, size):
    whole = estimate_mixture(net, lambda: [normal_rows])
    parts = estimate_mixture(net, lambda: ArrayRows(normal_rows).batches(size))
    np.testing.assert_allclose(parts.phi, whole.phi, rtol=1e-6)
    np.testing.assert_allclose(parts.mu, whole.mu, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(parts.cov, whole.cov, rtol=1e-4, atol=1e-9)


def test_the_mixture_pass_is_exact_in_float64(normal_rows):
    z = normal_rows.astype(np.float64) + 1e5
    gamma = np.random.default_rng(0).dirichlet(np.ones(3), size=len(z))
    table = np.hstack([z, gamma])
    mixture = estimate_mixture(
        lambda batch: (None, batch[:, :6], batch[:, 6:]), lambda: np.array_split(table, 11), reg=0.0
    )
    whole = gmm.moments(z, gamma)
    np.testing.assert_allclose(mixture.mu, whole.mean, rtol=1e-12)
    cov = np.asarray(whole.scatter) / np.asarray(whole.mass)[:, None, None]
    np.testing.assert_allclose(mixture.cov, cov, rtol=1e-9, atol=1e-9)


def test_optimizers_are_fresh_and_keep_their_settings():
    default = make_optimizer(None, 1e-4, None)
    assert isinstance(default, keras.optimizers.Adam)
    assert float(default.learning_rate) == pytest.approx(1e-4)
    for given in (keras.optimizers.Adam, "adam"):
        assert float(make_optimizer(given, 1e-4, None).learning_rate) == pytest.approx(1e-3)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.9)
    mine = keras.optimizers.SGD(schedule, momentum=0.7)
    clone = make_optimizer(mine, 1e-4, 2.5)
    assert clone is not mine
    assert (clone.momentum, clone.global_clipnorm) == (0.7, 2.5)
    assert float(clone.learning_rate) == 0.5
    assert mine.global_clipnorm is None
    with pytest.raises(ConfigurationError, match="already clips"):
        make_optimizer(keras.optimizers.SGD(clipvalue=1.0), 1e-4, 2.5)
    for nonsense in ("adamant", 3):
        with pytest.raises(ConfigurationError, match="not a Keras optimizer"):
            make_optimizer(nonsense, 1e-4, None)


def test_clipping_bounds_the_step(net, normal_rows):
    before = np.concatenate([w.ravel() for w in net.get_weights()])
    prepared = TrainingRows(ArrayRows(normal_rows), None, None, (6,))
    config = FitConfig(epochs=1, batch_size=600, seed=0, clip_norm=1e-3)
    fit(net, OBJECTIVE, prepared, config, FitOptions(keras.optimizers.SGD(1.0), verbose=0))
    after = np.concatenate([w.ravel() for w in net.get_weights()])
    assert 0 < np.linalg.norm(after - before) <= 1e-3 * 1.001


def test_seeding_restarts_every_random_layer():
    net = keras.Sequential(
        [keras.Input((50,)), keras.layers.Dropout(0.5), keras.layers.GaussianNoise(1.0)]
    )
    rows = np.ones((4, 50), dtype=np.float32)

    def draw(seed):
        seed_random_layers(net, seed)
        return net(rows, training=True).numpy()

    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).any()


def test_tracing_tells_numpy_from_graph_functions():
    x = np.ones((2, 3), dtype=np.float32)
    assert refuses_graph(lambda a: tf.square(a), x) is None
    assert refuses_graph(lambda a: np.square(np.asarray(a)), x) is not None
    assert has_gradient(lambda a: tf.square(a), x)
    assert not has_gradient(lambda a: np.square(np.asarray(a)), x)
    assert not has_gradient(lambda a: tf.constant(np.square(a.numpy())), x)


def test_fits_in_a_loop_do_not_make_tensorflow_warn_of_traces(normal_rows, caplog):
    tf.get_logger().addHandler(caplog.handler)  # its messages do not reach the root logger
    try:
        for seed in range(6):
            detector = OutlierAEGMM.from_sizes(6, [2], [2], threshold=0.0, seed=seed)
            detector.fit(normal_rows[:64], epochs=1, validation_split=0.25, verbose=0)
    finally:
        tf.get_logger().removeHandler(caplog.handler)
    assert "retracing" not in caplog.text
