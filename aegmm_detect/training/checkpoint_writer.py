"""The callback that writes a checkpoint at the end of every epoch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from aegmm_detect.training.callback_state import CallbackStates

if TYPE_CHECKING:
    from aegmm_detect.training.checkpoint import Checkpoint


class CheckpointWriter(keras.callbacks.Callback):
    """Keeps a fit's `Checkpoint` up to date; the last of its callbacks.

    Parameters
    ----------
    checkpoint
        Of the fit. A resumed one gives the callbacks their states back.
    callbacks
        All others, a `History` among them.
    """

    def __init__(
        self, checkpoint: "Checkpoint", callbacks: Sequence[keras.callbacks.Callback]
    ) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._callbacks = callbacks
        self._states = CallbackStates(callbacks)
        self._epochs, self._stopped = checkpoint.epochs, checkpoint.stopped

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Take note of the callbacks' states; write a first file, or put back what was found."""
        self._states.begin()
        self._checkpoint.restore_states(self._callbacks)
        if self._epochs == 0:
            # Keeps a drawn seed and initial weights, and tells before the work if it cannot.
            self._write()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write what the next epoch needs."""
        self._epochs, self._stopped = epoch + 1, bool(self.model.stop_training)
        self._write()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write the final weights, which callbacks may have brought back."""
        self._write(finished=True)

    def _write(self, finished: bool = False) -> None:
        self._checkpoint.write(
            self.model,
            self._epochs,
            self._states.get(finished),
            self.params,
            stopped=self._stopped,
            finished=finished,
        )
