"""Train a net in stages: Nadam, early stopping, one history."""

from collections.abc import Sequence

import keras

from aegmm_detect.configs.training import TrainingConfig
from aegmm_detect.exceptions import NonFiniteLossError
from aegmm_detect.training.fit import FitOptions, fit
from aegmm_detect.training.objective import Objective
from aegmm_detect.training.prepare import TrainingRows


def fit_stage(
    net: keras.Model,
    objective: Objective,
    rows: TrainingRows,
    config: TrainingConfig,
    *,
    patience: int | None,
    verbose: bool | int | str,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    earlier: keras.callbacks.History | None = None,
) -> keras.callbacks.History:
    """Train `net` in place with a new Nadam.

    Parameters
    ----------
    net
        Scaled rows -> outputs.
    objective
        What is minimised.
    rows
        To train on and to validate on.
    config
        Length, batch size, learning rate and seed.
    patience
        Epochs without a better validation loss, after which training stops. The net then has the
        weights of the best epoch, also if it never stops early. None: the weights of the last
        epoch.
    verbose, callbacks
        Keras's own. Callbacks see epochs that go on from those of the earlier stages.
    earlier
        What the earlier stages have returned.

    Returns
    -------
    Keras's `History` of the earlier stages and this one.

    Raises
    ------
    NonFiniteLossError
        Training met NaN or infinity.
    ForkedProcessError
        TensorFlow cannot train in this process.
    ConfigurationError
        A callback cannot do its work here.
    """
    listening = list(callbacks)
    if earlier is not None:
        listening = [_LaterEpochs(listening, len(earlier.epoch))]
    if patience is not None:
        stopping = keras.callbacks.EarlyStopping(
            "val_loss", patience=patience, restore_best_weights=True
        )
        listening = [stopping, *listening]
    nadam = keras.optimizers.Nadam(config.learning_rate)
    options = FitOptions(optimizer=nadam, verbose=verbose, callbacks=listening)
    try:
        history = fit(net, objective, rows, config, options)
    except NonFiniteLossError as error:
        raise NonFiniteLossError(
            "Training met NaN or infinity. Lower learning_rate, or scale the rows."
        ) from error
    return history if earlier is None else _joined(earlier, history)


class _LaterEpochs(keras.callbacks.CallbackList):
    """Callbacks whose epochs do not begin with 0."""

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback], done: int) -> None:
        super().__init__(list(callbacks))
        self._done = done

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keras's hook."""
        super().on_epoch_begin(self._done + epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keras's hook."""
        super().on_epoch_end(self._done + epoch, logs)


def _joined(
    earlier: keras.callbacks.History, later: keras.callbacks.History
) -> keras.callbacks.History:
    """`later`, with the epochs of `earlier` in front of its own."""
    n_earlier, n_later = len(earlier.epoch), len(later.epoch)
    # Frozen kernels have no penalty, so a stage may lack its column.
    later.history = {
        column: [
            *earlier.history.get(column, [0.0] * n_earlier),
            *later.history.get(column, [0.0] * n_later),
        ]
        for column in {**earlier.history, **later.history}
    }
    later.epoch = list(range(n_earlier + n_later))
    return later
