"""What a user's callbacks have to be, looked at before the first step of a fit."""

from collections.abc import Iterable
from typing import Any

import keras

from aegmm_detect.exceptions import ConfigurationError

_RATES = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def checked_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """One callback or several, nested or not, as a list.

    Raises
    ------
    ConfigurationError
        An item is not a Keras callback.
    """
    listening = [] if callbacks is None else keras.tree.flatten(callbacks)
    for callback in listening:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ConfigurationError(
                f"callbacks holds {callback!r}: pass keras.callbacks.Callback objects, or a list "
                "of them."
            )
    return listening


def check_suited(
    callbacks: Iterable[keras.callbacks.Callback],
    optimizer: keras.optimizers.Optimizer,
    decays: bool = False,
) -> None:
    """Reject callbacks that cannot do their work in a fit.

    Parameters
    ----------
    callbacks
        The user's.
    optimizer
        Of the fit.
    decays
        Whether its learning rate falls over the whole training.

    Raises
    ------
    ConfigurationError
        A callback changes a learning rate that a schedule decides, has no function for it, or
        saves whole models.
    """
    # A schedule is the only learning rate that is not a number there.
    scheduled = decays or isinstance(optimizer.get_config().get("learning_rate"), dict)
    for callback in callbacks:
        name = type(callback).__name__
        if scheduled and isinstance(callback, _RATES):
            raise ConfigurationError(
                f"{name} changes the learning rate, and here a schedule decides it. Leave {name} "
                "out, or pass an optimizer with a number, such as "
                "optimizer=keras.optimizers.Adam(1e-3)."
            )
        if isinstance(callback, keras.callbacks.LearningRateScheduler):
            _check_function(callback.schedule)
        if isinstance(callback, keras.callbacks.ModelCheckpoint) and (
            not callback.save_weights_only
        ):
            raise ConfigurationError(
                f"{name} would save what trains the nets, and that cannot be loaded again. Pass "
                "ModelCheckpoint('best.weights.h5', save_weights_only=True, ...), or "
                "checkpoint_dir= to resume; save a fitted detector with save_detector."
            )


def _check_function(schedule: Any) -> None:
    """Raise unless Keras can ask it; that is not tried, for it may count how often it is asked."""
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        raise ConfigurationError(
            f"LearningRateScheduler takes a function of the epoch, and {type(schedule).__name__} "
            "is one of the step: pass it to an optimizer, such as "
            "optimizer=keras.optimizers.Adam(schedule)."
        )
    if not callable(schedule):
        raise ConfigurationError(
            f"LearningRateScheduler({schedule!r:.100}) is given no function: pass one that takes "
            "the epoch and the learning rate and returns a float, or set a fixed rate by "
            "optimizer=keras.optimizers.Adam(1e-3)."
        )


def check_resumable(callbacks: Iterable[keras.callbacks.Callback]) -> None:
    """Reject callbacks that cannot go together with a checkpoint.

    Raises
    ------
    ConfigurationError
        Says why.
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ConfigurationError(
                "checkpoint_dir and BackupAndRestore both take up a fit that was cut off: leave "
                "BackupAndRestore out."
            )
        if isinstance(callback, keras.callbacks.CSVLogger) and not callback.append:
            raise ConfigurationError(
                "CSVLogger begins its file again whenever a fit is resumed: with checkpoint_dir, "
                "pass CSVLogger(..., append=True)."
            )
