"""A net learns in stages: seeded, stopped where validation is best, never on a loss that is NaN."""

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ConfigurationError, NonFiniteLossError
from aegmm_detect.few_labels.objectives import cross_entropy, squared_error, training_rows
from aegmm_detect.few_labels.settings import FewLabelConfig
from aegmm_detect.few_labels.training import fit_stage

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 3))).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
CONFIG = FewLabelConfig.of(seed=0, learning_rate=0.05)


def linear(width=3, activation=None):
    layers = keras.layers
    kernels = [keras.initializers.GlorotUniform(seed=seed) for seed in (1, 2)]
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(2, kernel_initializer=kernels[0]),
            layers.Dense(width, activation, kernel_initializer=kernels[1]),
        ]
    )


def fit(net, train=X, validation=X[:0], epochs=10, config=CONFIG, **how):
    rows = training_rows((train, validation), None, config.batch_size)
    how = {"patience": None, "verbose": 0, **how}
    return fit_stage(net, squared_error(rows), rows, config.stage(epochs), **how)


def classify(net, epochs=1, validation=slice(0, 0), **how):
    parts = (X, X[validation]), (Y, Y[validation])
    rows = training_rows(*parts, CONFIG.batch_size)
    how = {"patience": None, "verbose": 0, **how}
    return fit_stage(net, cross_entropy(rows), rows, CONFIG.stage(epochs), **how)


def test_it_learns_and_the_same_seed_learns_the_same():
    first, second = linear(), linear()
    losses = fit(first).history["loss"]
    assert losses[-1] < 0.1 * losses[0]
    assert fit(second).history["loss"] == losses
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


class EpochsSeen(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.begun, self.ended = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.begun.append(epoch)

    def on_epoch_end(self, epoch, logs=None):
        self.ended.append((epoch, logs["loss"]))
        self.model.stop_training = epoch == 3


def test_two_stages_make_one_history_and_callbacks_count_on():
    net, seen = linear(), EpochsSeen()
    history = fit(net, epochs=2, callbacks=[seen])
    history = fit(net, epochs=5, callbacks=[seen], earlier=history)
    assert history.epoch == seen.begun == [0, 1, 2, 3]  # where the callback ends the second
    assert list(enumerate(history.history["loss"])) == seen.ended


def test_a_penalty_that_one_stage_lacks_is_zero_there():
    net = linear(width=2, activation="softmax")
    net.layers[0].kernel.regularizer = net.layers[0].kernel_regularizer = keras.regularizers.L2(0.1)
    net.layers[0].trainable = False
    history = classify(net, validation=slice(0, 50))
    net.layers[0].trainable = True
    history = classify(net, validation=slice(0, 50), earlier=history)
    found = history.history
    columns = ("loss", "accuracy", "regularization")
    assert set(found) == {*columns, *(f"val_{name}" for name in columns)}
    assert found["regularization"][0] == 0.0 < found["regularization"][1]
    penalty = 0.1 * np.square(net.layers[0].get_weights()[0]).sum()
    assert found["val_regularization"][1] == pytest.approx(penalty, rel=1e-5)


@pytest.mark.parametrize("n_rows", [1, 20, 32, 33, 150])
def test_validation_counts_every_row_once(n_rows):
    """Whatever batches they make."""
    net = linear(width=2, activation="softmax")
    log = classify(net, validation=slice(0, n_rows)).history
    x, y = X[:n_rows], Y[:n_rows]
    probabilities = np.asarray(net(x))
    loss = -np.log(probabilities[np.arange(n_rows), y]).mean()
    assert log["val_loss"] == [pytest.approx(loss, rel=1e-5)]
    assert log["val_accuracy"] == [pytest.approx(np.mean(probabilities.argmax(axis=1) == y))]
    other = linear()
    log = fit(other, validation=x, epochs=1).history
    assert log["val_loss"] == [pytest.approx(np.square(other(x) - x).mean(), rel=1e-5)]


def test_the_weights_are_those_of_the_best_validation():
    """Validation rows are of another plane: the less is learned the better, after a while."""
    net = linear()
    other = np.random.default_rng(2).normal(size=(50, 3)).astype("float32")
    log = fit(net, validation=other, epochs=60, patience=3).history
    assert len(log["loss"]) == int(np.argmin(log["val_loss"])) + 1 + 3 < 60
    found = np.mean(np.square(net(other) - other))
    np.testing.assert_allclose(found, min(log["val_loss"]), rtol=1e-5)


def test_a_loss_that_is_not_finite_is_told():
    with pytest.raises(NonFiniteLossError, match="Lower learning_rate"):
        fit(linear(), np.full_like(X, np.inf), epochs=1)


def test_callbacks_that_cannot_do_their_work_are_rejected():
    with pytest.raises(ConfigurationError, match="save_weights_only=True"):
        fit(linear(), callbacks=[keras.callbacks.ModelCheckpoint("net.keras")])
