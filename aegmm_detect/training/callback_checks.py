"""Keras's callbacks that would end training with an error after its first epoch."""

from collections.abc import Iterable

import keras

from aegmm_detect.exceptions import ConfigurationError

_RATES = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def check_suited(
    callbacks: Iterable[keras.callbacks.Callback], optimizer: keras.optimizers.Optimizer
) -> None:
    """Reject callbacks that cannot do their work in a fit.

    Parameters
    ----------
    callbacks
        The user's.
    optimizer
        Of the fit.

    Raises
    ------
    ConfigurationError
        A callback changes a learning rate that a schedule decides, or saves whole models.
    """
    # A schedule is the only learning rate that is no number there.
    scheduled = isinstance(optimizer.get_config().get("learning_rate"), dict)
    for callback in callbacks:
        name = type(callback).__name__
        if scheduled and isinstance(callback, _RATES):
            raise ConfigurationError(
                f"{name} changes the learning rate, and here a schedule decides it. Leave {name} "
                "out, or pass an optimizer with a number, such as "
                "optimizer=keras.optimizers.Adam(1e-3)."
            )
        if isinstance(callback, keras.callbacks.ModelCheckpoint) and (
            not callback.save_weights_only
        ):
            raise ConfigurationError(
                f"{name} would save what trains the nets, and that cannot be loaded again. Pass "
                "ModelCheckpoint('best.weights.h5', save_weights_only=True, ...), or "
                "checkpoint_dir= to resume; save a fitted detector with save_detector."
            )
