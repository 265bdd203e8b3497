"""What a step does: one optimizer, or several players in turn."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from aegmm_detect.configs.training import TrainingConfig
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.training.checkpoint import Checkpoint
from aegmm_detect.training.data import ArrayRows, StreamRows, array_blocks, plan
from aegmm_detect.training.fit import FitOptions, fit
from aegmm_detect.training.objective import Evaluated, Objective
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.training.updates import Alternating, Turn

ROWS = np.random.default_rng(0).normal(size=(96, 3)).astype("float32")
PREPARED = TrainingRows(ArrayRows(ROWS), None, None, (3,))
CONFIG = TrainingConfig(epochs=2, batch_size=32, seed=0, jit_compile=False)


def two_nets(seed=0):
    """A net of two parts: mean -> 1, spread -> 1."""
    inputs = keras.Input((3,), name="rows")
    start = keras.initializers.GlorotUniform
    mean = keras.layers.Dense(1, name="mean", kernel_initializer=start(seed))(inputs)
    spread = keras.layers.Dense(1, name="spread", kernel_initializer=start(seed + 1))(inputs)
    return keras.Model(inputs, [mean, spread])


def of_mean(net):
    return net.get_layer("mean").trainable_variables


def of_spread(net):
    return net.get_layer("spread").trainable_variables


def values(net, arrays, batch, progress, training):
    mean, spread = net(batch, training=training)
    target = ops.sum(batch, axis=-1, keepdims=True)
    error = ops.mean(ops.square(mean - target))
    # The second player sees what the first has done.
    scale = ops.mean(ops.square(spread - ops.square(mean)))
    return Evaluated({"loss": error + scale, "error": error, "scale": scale})


UPDATE = Alternating((Turn("error", of_mean), Turn("scale", of_spread)))


def trained(update, optimizer, **options):
    net = two_nets()
    objective = Objective(("loss", "error", "scale"), values, "two", update=update)
    log = fit(net, objective, PREPARED, CONFIG, FitOptions(optimizer, verbose=0, **options))
    return net, log.history


def test_players_take_turns_with_optimizers_of_their_own():
    net, log = trained(UPDATE, keras.optimizers.Adam(0.05))
    want, first, second = two_nets(), keras.optimizers.Adam(0.05), keras.optimizers.Adam(0.05)

    blocks = array_blocks(PREPARED.train, plan(96, 32, 512), seed=0)
    for block, n_steps in blocks.dataset.take(2):
        for batch in block[: int(n_steps)]:
            for own, loss, variables in (
                (first, "error", of_mean(want)),
                (second, "scale", of_spread(want)),
            ):
                with tf.GradientTape() as tape:
                    value = values(want, (), batch, 0.0, True).values[loss]
                own.apply(tape.gradient(value, variables), variables)
    for got, expected in zip(net.get_weights(), want.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)
    assert set(log) == {"loss", "error", "scale"}
    assert log["error"][-1] < log["error"][0]


def test_a_callback_changes_the_rate_of_all_players():
    still = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0)
    net, _ = trained(UPDATE, keras.optimizers.SGD(0.1), callbacks=[still])
    for got, before in zip(net.get_weights(), two_nets().get_weights(), strict=True):
        np.testing.assert_array_equal(got, before)


def test_a_fit_of_players_goes_on_where_it_was_cut_off(tmp_path):
    whole, _ = trained(UPDATE, keras.optimizers.Adam(0.05))

    def resumed(**options):
        net = two_nets()
        objective = Objective(("loss", "error", "scale"), values, "two", update=UPDATE)
        options = FitOptions(keras.optimizers.Adam(0.05), 0, checkpoint_dir=tmp_path, **options)
        checkpoint = Checkpoint(tmp_path)
        described = CONFIG.model_dump(mode="json")
        fit(net, objective, PREPARED, CONFIG, options, checkpoint=checkpoint, described=described)
        return net

    class Cut(keras.callbacks.Callback):
        cut = True

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1 and Cut.cut:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resumed(callbacks=[Cut()])
    Cut.cut = False
    for got, want in zip(
        resumed(callbacks=[Cut()]).get_weights(), whole.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def test_rows_are_chosen_anew_for_every_epoch_by_the_net_of_that_epoch():
    """Rows that are not chosen are never trained on, and what chooses sees what was learned."""
    seen, weights = [], []

    def watched(net, arrays, batch, progress, training):
        tf.py_function(lambda rows: seen.append(rows.numpy()), [batch], [])
        return values(net, arrays, batch, progress, training)

    def select(net, rows, epoch):
        weights.append(net.get_weights()[0].copy())
        return np.arange(epoch * 40, epoch * 40 + 40)

    objective = Objective(("loss", "error", "scale"), watched, select=select)
    net = two_nets()
    log = fit(net, objective, PREPARED, CONFIG, FitOptions(keras.optimizers.SGD(0.1), verbose=0))
    assert len(log.history["loss"]) == 2
    each = np.concatenate(seen).reshape(2, 96, 3)
    for epoch, rows in enumerate(each):
        found = {row.tobytes() for row in rows}
        assert found == {row.tobytes() for row in ROWS[epoch * 40 : epoch * 40 + 40]}
    assert not np.array_equal(weights[0], weights[1])


def test_a_stream_has_no_rows_to_choose_from():
    rows = StreamRows(lambda: iter([ROWS]), 96, (3,))
    prepared = TrainingRows(rows, None, None, (3,))
    objective = Objective(("loss", "error", "scale"), values, select=lambda *_: np.arange(3))
    with pytest.raises(ConfigurationError, match="in memory: pass an array"):
        fit(two_nets(), objective, prepared, CONFIG, FitOptions(verbose=0))


def absolute(net, arrays, batch, progress, training):
    return Evaluated({"loss": ops.mean(ops.abs(net(batch, training=training)))})


def squared(net, arrays, batch, progress, training):
    return Evaluated({"loss": ops.mean(ops.square(net(batch, training=training)))})


def test_losses_that_were_given_one_key_are_still_two():
    losses = []
    for function in (absolute, squared):
        start = keras.initializers.GlorotUniform(0)
        net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer=start)])
        want = float(function(net, (), ROWS, 0.0, True).values["loss"])
        options = FitOptions(keras.optimizers.SGD(0.0), verbose=0)
        log = fit(net, Objective(("loss",), function, "my loss"), PREPARED, CONFIG, options)
        np.testing.assert_allclose(log.history["loss"], want, rtol=1e-6)
        losses.append(want)
    assert abs(losses[0] - losses[1]) > 0.01
