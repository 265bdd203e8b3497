"""Callbacks that cannot work are rejected before the former fit is lost."""

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ConfigurationError, NotFittedError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.training.callback_checks import check_resumable, check_suited

QUICK = {"epochs": 2, "verbose": 0, "jit_compile": False}
SCHEDULE = keras.optimizers.schedules.CosineDecay(1e-3, 100)
SCHEDULER = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3)
PLATEAU = keras.callbacks.ReduceLROnPlateau("loss")


@pytest.fixture(scope="module")
def rows(normal_rows):
    return normal_rows[:200]


@pytest.fixture(scope="module")
def detector(rows):
    made = OutlierAEGMM.from_sizes(6, [4, 1], [4, 2], threshold=0.0, seed=3)
    made.fit(rows, **QUICK)
    return made


def scheduled():
    return {"optimizer": keras.optimizers.Adam(SCHEDULE)}


@pytest.mark.parametrize(
    ("settings", "callback", "told"),
    [
        (
            scheduled,
            SCHEDULER,
            r"LearningRateScheduler changes .*optimizer=keras\.optimizers\.Adam",
        ),
        (scheduled, PLATEAU, r"ReduceLROnPlateau changes the learning rate, and here a schedule"),
        (dict, keras.callbacks.LearningRateScheduler(SCHEDULE), "CosineDecay is one of the step"),
        (dict, keras.callbacks.LearningRateScheduler(1e-3), r"\(0\.001\) is given no function"),
        (dict, keras.callbacks.ModelCheckpoint("m.keras"), r"ModelCheckpoint\('best\.weights\.h5'"),
        (dict, keras.callbacks.ModelCheckpoint("m{epoch}.h5"), "save_weights_only=True"),
    ],
)
def test_a_rejected_callback_leaves_the_former_fit(detector, rows, settings, callback, told):
    scores = detector.score(rows)
    with pytest.raises(ConfigurationError, match=told):
        detector.fit(rows, **QUICK, **settings(), callbacks=[callback])
    np.testing.assert_array_equal(detector.score(rows), scores)


def test_the_recipes_own_schedule_counts(rows):
    made = OutlierAEGMM.auto(6, seed=0)
    assert made.fit_config.learning_rate_decay is not None
    with pytest.raises(ConfigurationError, match="a schedule decides it"):
        made.fit(rows, verbose=0, callbacks=[PLATEAU])


def test_what_works_is_let_through():
    weights = keras.callbacks.ModelCheckpoint("m.weights.h5", save_weights_only=True)
    check_suited([SCHEDULER, PLATEAU, weights], keras.optimizers.Adam(1e-3))
    check_suited([weights, keras.callbacks.History()], keras.optimizers.Adam(SCHEDULE))


def test_after_a_fit_that_was_cut_off_errors_say_so(rows):
    class CutOff(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    made = OutlierAEGMM.from_sizes(6, [4, 1], [4, 2], threshold=0.0, seed=3)
    with pytest.raises(NotFittedError, match=r"needs a fitted detector: call .*fit\(X\) first"):
        made.score(rows)
    with pytest.raises(KeyboardInterrupt):
        made.fit(rows, **QUICK, callbacks=[CutOff()])
    for method in (made.score, made.predict, made.infer_threshold):
        with pytest.raises(NotFittedError, match=r"not fitted: its last fit was .*fit\(X\) again"):
            method(rows)
    made.fit(rows, **QUICK)
    made.score(rows)


@pytest.mark.parametrize(
    ("callback", "text"),
    [
        (lambda path: keras.callbacks.BackupAndRestore(path), "leave BackupAndRestore out"),
        (lambda path: keras.callbacks.CSVLogger(f"{path}/log.csv"), "append=True"),
    ],
)
def test_callbacks_that_cannot_be_resumed_are_refused(callback, text, tmp_path):
    with pytest.raises(ConfigurationError, match=text):
        check_resumable([callback(tmp_path)])
