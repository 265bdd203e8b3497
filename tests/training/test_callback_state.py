"""What callbacks remember: it is taken, and given to others of their kind."""

import logging
import pathlib
import types

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.training.callback_state import (
    CallbackStates,
    set_states,
    settings_of,
)

LOSSES = [5.0, 4.0, 4.0, 3.99, 3.985, 3.98, 3.0, 3.5, 3.5, 3.5]


def stub():
    """What the callbacks below ask of a model."""
    model = types.SimpleNamespace(stop_training=False, metrics=[], weights=[0.0])
    model.optimizer = types.SimpleNamespace(learning_rate=np.float32(1.0))
    model.saved = []
    model.save_weights = lambda *_, **__: model.saved.append(model.weights)
    model.get_weights = lambda: [np.array(model.weights)]
    return model


def epochs_of(callback, model, losses, first=0, states=None):
    """Let a callback see epochs; its state after them."""
    callback.set_model(model)
    kept = CallbackStates([callback])
    callback.on_train_begin()
    kept.begin()
    if states is not None:
        set_states([callback], states)
    for epoch, loss in enumerate(losses, first):
        model.weights = [loss]
        callback.on_epoch_end(epoch, {"loss": loss})
    return kept.get()


MAKERS = {
    "EarlyStopping": lambda: keras.callbacks.EarlyStopping(
        "loss", min_delta=0.1, patience=3, restore_best_weights=True
    ),
    "ReduceLROnPlateau": lambda: keras.callbacks.ReduceLROnPlateau(
        "loss", min_delta=0.1, patience=2, cooldown=1
    ),
    "ModelCheckpoint": lambda: keras.callbacks.ModelCheckpoint(
        "best.weights.h5", "loss", save_best_only=True, save_weights_only=True
    ),
    "History": keras.callbacks.History,
}


@pytest.mark.parametrize("cut", range(len(LOSSES) + 1))
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_callback_goes_on_as_if_it_had_not_been_replaced(name, cut):
    make = MAKERS[name]
    model, whole = stub(), make()
    want = epochs_of(whole, model, LOSSES)

    first = stub()
    states = epochs_of(make(), first, LOSSES[:cut])
    second = stub()
    second.optimizer = first.optimizer  # the checkpoint has its variables
    second.stop_training = first.stop_training
    resumed = make()
    got = epochs_of(resumed, second, LOSSES[cut:], first=cut, states=states)
    np.testing.assert_equal(got, want)
    assert first.saved + second.saved == model.saved
    assert second.stop_training == model.stop_training
    assert second.optimizer.learning_rate == model.optimizer.learning_rate
    if cut < len(LOSSES):
        assert getattr(resumed, "min_delta", None) == getattr(whole, "min_delta", None)


def test_a_finished_state_needs_no_begin():
    kept_from = MAKERS["EarlyStopping"]()
    kept_from.set_model(stub())
    kept = CallbackStates([kept_from])
    kept_from.on_train_begin()
    kept.begin()
    kept_from.on_epoch_end(0, {"loss": 1.0})
    fresh = MAKERS["EarlyStopping"]()
    set_states([fresh], kept.get(finished=True))
    for name in ("best", "best_epoch", "stopped_epoch", "wait"):
        assert getattr(fresh, name) == getattr(kept_from, name)


class Counter(keras.callbacks.Callback):
    """Plain state, and a place for what is not."""

    def __init__(self, step=1, extra=None):
        super().__init__()
        self.step, self.count, self.seen, self.extra = step, 0, [], extra

    def on_epoch_end(self, epoch, logs=None):
        self.count += self.step
        self.seen.append(epoch)


def test_attributes_that_change_are_kept_even_in_place_and_no_others():
    (state,) = epochs_of(Counter(), stub(), [1.0, 2.0])
    assert state == {"count": 2, "seen": [0, 1]}


class Speaker(Counter):
    """Says itself what it remembers."""

    def get_state(self):
        return (self.count, self.extra)

    def set_state(self, state):
        self.count = state[0]


def test_get_state_and_set_state_win():
    states = epochs_of(Speaker(), stub(), [1.0, 2.0])
    assert states == [(2, None)]
    fresh = Speaker()
    set_states([fresh], states)
    assert (fresh.count, fresh.seen) == (2, [])


def test_a_state_that_no_file_can_hold_is_refused():
    with pytest.raises(ConfigurationError, match=r"Speaker\.get_state\(\) returns tuple"):
        epochs_of(Speaker(extra=object()), stub(), [1.0])


def test_what_is_not_kept_is_said(caplog):
    rng = np.random.default_rng(0)
    with caplog.at_level(logging.WARNING, logger="aegmm_detect"):
        counter = Counter(extra=rng)
        counter.set_model(stub())
        kept = CallbackStates([counter])
        kept.begin()
        kept.get()
        counter.best, counter.count = object(), 1  # comes later, and is said once
        assert kept.get() == kept.get() == [{"count": 1}]
    wanted = [f"Checkpoints do not keep {name} of Counter." for name in ("extra", "best")]
    assert [line[: len(want)] for line, want in zip(caplog.messages, wanted, strict=True)] == wanted
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="aegmm_detect"):
        for fixed in (len, logging.getLogger(), pathlib.Path()):
            epochs_of(Counter(extra=fixed), stub(), [1.0])
        epochs_of(Speaker(), stub(), [1.0])
        epochs_of(keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: None), stub(), [1.0])
        epochs_of(MAKERS["EarlyStopping"](), stub(), [1.0])
    assert caplog.messages == []


def test_settings_are_the_numbers_of_the_constructor_and_what_is_monitored():
    stopping = keras.callbacks.EarlyStopping("loss", min_delta=0.1, patience=3, verbose=1)
    first = settings_of(stopping)
    assert first["class"] == "EarlyStopping"
    assert (first["monitor"], first["patience"], first["min_delta"]) == ("loss", 3, 0.1)
    assert "verbose" not in first
    epochs_of(stopping, stub(), LOSSES)
    assert settings_of(stopping) == first
    logger = keras.callbacks.CSVLogger("today.csv", append=True)
    assert settings_of(logger) == {"class": "CSVLogger"}
