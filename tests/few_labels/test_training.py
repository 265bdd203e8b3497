"""A net learns targets: seeded, stopped where validation is best, never on a loss that is NaN."""

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import NonFiniteLossError
from aegmm_detect.few_labels.settings import FewLabelConfig
from aegmm_detect.few_labels.training import Targets, fit_to_targets

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], dtype="float32")
NONE = Targets(X[:0], Y[:0])
CONFIG = FewLabelConfig.of(seed=0, learning_rate=0.05)


def linear():
    init = keras.initializers.GlorotUniform(seed=1)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer=init)])


def fit(net, train=None, validation=NONE, config=CONFIG, **how):
    history = how.pop("history", None) or keras.callbacks.History()
    how = {"epochs": 10, "patience": None, "verbose": 0, **how}
    train = train or Targets(X, Y)
    fit_to_targets(net, train, validation, "mse", config, history=history, **how)
    return history.history


def test_it_learns_and_the_same_seed_learns_the_same():
    first, second = linear(), linear()
    losses = fit(first)["loss"]
    assert losses[-1] < 0.1 * losses[0]
    assert fit(second)["loss"] == losses
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def test_two_stages_make_one_history():
    net, history = linear(), keras.callbacks.History()
    fit(net, epochs=3, history=history)
    fit(net, epochs=2, history=history)
    assert len(history.history["loss"]) == 5
    assert history.epoch == [0, 1, 2, 3, 4]


def test_the_weights_are_those_of_the_best_validation():
    """Targets of the validation are the negative: the less is learned the better."""
    net = linear()
    wrong = Targets(X, -Y)
    log = fit(net, validation=wrong, epochs=30, patience=3)
    assert len(log["loss"]) == int(np.argmin(log["val_loss"])) + 1 + 3
    found = np.mean(np.square(net(X) + Y))
    np.testing.assert_allclose(found, min(log["val_loss"]), rtol=1e-4)


def test_a_loss_that_is_not_finite_is_told():
    with pytest.raises(NonFiniteLossError, match="Lower learning_rate"):
        fit(linear(), Targets(X, np.full_like(Y, np.inf)), epochs=1)
