"""Fits that go on where they were cut off: one file, replaced at the end of every epoch."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from aegmm_detect.configs.training import TrainingConfig
from aegmm_detect.exceptions import CheckpointError, ConfigurationError
from aegmm_detect.training import checkpoint_file
from aegmm_detect.training.callback_checks import check_resumable
from aegmm_detect.training.callback_state import set_states
from aegmm_detect.training.checkpoint_content import CheckpointContent
from aegmm_detect.training.checkpoint_lock import FolderLock
from aegmm_detect.training.checkpoint_writer import CheckpointWriter
from aegmm_detect.training.fingerprint import known_before_rows, what_differs
from aegmm_detect.training.length import length_of_fit

FILE_NAME = "fit.npz"


class Checkpoint:
    """What the folder of a fit holds, and the only one to write there.

    Parameters
    ----------
    folder
        Made if it is not there.

    Raises
    ------
    ConfigurationError
        Such a folder cannot be made.
    CheckpointError
        The file in it is damaged.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        if folder == "":
            raise ConfigurationError(
                "checkpoint_dir='' names no folder: is an environment variable not set? Pass '.' "
                "for the folder in which the program runs."
            )
        try:
            path = Path(folder).absolute()
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ConfigurationError(
                f"checkpoint_dir={folder!r} is a file, or leads through one: pass a folder."
            ) from error
        except (TypeError, ValueError, OSError) as error:
            raise ConfigurationError(
                f"checkpoint_dir={folder!r} is not a folder that can be used or made ({error})."
            ) from error
        self.path = path / FILE_NAME
        self._lock = FolderLock(path)
        self._read()
        self._fingerprint: dict[str, Any] = {}

    @property
    def epochs(self) -> int:
        """Epochs that are done."""
        return 0 if self._found is None else self._found.epochs

    @property
    def finished(self) -> bool:
        """Whether no training is left to do."""
        return self._found is not None and self._found.finished

    @property
    def stopped(self) -> bool:
        """Whether a callback has ended training after these epochs."""
        return self._found is not None and self._found.stopped

    def seed(self, given: int | None) -> int:
        """The seed of the fit: what is given, or what was drawn when it began."""
        if given is not None:
            return given
        if self._found is not None:
            return self._found.seed
        return secrets.randbelow(2**31)

    def _read(self) -> None:
        self._version = _version(self.path)
        values = checkpoint_file.read(self.path)
        self._found = None if values is None else CheckpointContent.of(values, self.path)

    def claim(
        self,
        fingerprint: dict[str, Any],
        callbacks: Sequence[keras.callbacks.Callback],
        net: keras.Model,
        slots: Sequence[Any],
    ) -> None:
        """Keep others out, and make sure that what is found belongs to the fit about to go on.

        Parameters
        ----------
        fingerprint
            Of that fit.
        callbacks
            The user's.
        net
            To be trained; left as it is.
        slots
            Variables such as its optimizers will have.

        Raises
        ------
        CheckpointError
            It belongs to another one, says what differs; it does not fit the variables; or another
            fit goes on there.
        ConfigurationError
            A callback cannot be resumed.
        """
        check_resumable(callbacks)
        self._lock.acquire()
        try:
            if self._version != _version(self.path):
                self._read()  # another fit wrote it in between
            self._fingerprint = fingerprint
            self._check_found(callbacks, net, slots)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let other fits use the folder."""
        self._lock.release()

    def _check_found(
        self,
        callbacks: Sequence[keras.callbacks.Callback],
        net: keras.Model,
        slots: Sequence[Any],
    ) -> None:
        if self._found is None:
            return
        different = what_differs(self._found.fingerprint, self._fingerprint)
        if different:
            raise CheckpointError(
                f"{self.path} is the checkpoint of another fit. What differs: {different}. "
                "Repeat the call that wrote it, or choose another checkpoint_dir, or delete the "
                "file to train from the start."
            )
        self._found.check_epochs(_epochs(self._fingerprint))
        self._found.check_numbers()
        self._found.check_callbacks(_with_log(callbacks))
        self._found.check_variables(known_before_rows(net, net.variables), slots)
        self._found.check_best_weights(_with_log(callbacks), known_before_rows(net, net.weights))

    def take_up(
        self, trainer: keras.Model, callbacks: Sequence[keras.callbacks.Callback]
    ) -> list[keras.callbacks.Callback]:
        """Put back what was found, or nothing where a fit begins.

        Parameters
        ----------
        trainer
            Compiled, with optimizers that are built. After a fit that had finished, its `history`
            is that of the fit.
        callbacks
            The user's.

        Returns
        -------
        Callbacks of the fit: the user's, the log and the writer of checkpoints.

        Raises
        ------
        CheckpointError
            What was found does not fit the variables; none of them is changed.
        """
        all_others = _with_log(callbacks)
        found = self._found
        if found is not None:
            net, optimizer = trainer.net.variables, trainer.trained_by.variables
            found.check_variables(net, optimizer)
            found.check_best_weights(all_others, trainer.weights)
            for variables, kept in ((net, found.net), (optimizer, found.optimizer)):
                for variable, value in zip(variables, kept, strict=True):
                    variable.assign(value)
        if found is not None and self.finished:
            for callback in all_others:
                callback.set_model(trainer)
                callback.set_params(dict(found.params))
            self.restore_states(all_others)
            logs = [own for own in all_others if isinstance(own, keras.callbacks.History)]
            trainer.history = logs[-1]
        return [*all_others, CheckpointWriter(self, all_others)]

    def restore_states(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Give callbacks, in the order of the fit, the states that were found."""
        if self._found is not None:
            set_states(callbacks, self._found.callbacks)

    @property
    def after_failure(self) -> str:
        """What to add to the message of an error in training."""
        return (
            f"{self.path} holds the last epoch that was finite, and the same call fails again "
            "there. With other settings, choose another checkpoint_dir or delete the file."
        )

    def write(
        self,
        trainer: keras.Model,
        epochs: int,
        states: list[Any],
        params: dict[str, Any],
        *,
        stopped: bool,
        finished: bool,
    ) -> None:
        """Replace the file.

        Parameters
        ----------
        trainer
            Its net and its optimizers have the variables.
        epochs
            Done.
        states
            Of the callbacks.
        params
            What Keras gave them of the fit.
        stopped, finished
            See the properties.
        """
        content = {
            "fingerprint": self._fingerprint,
            "seed": self._fingerprint["settings"]["seed"],
            "epochs": epochs,
            "stopped": stopped,
            "finished": finished,
            "net": [variable.numpy() for variable in trainer.net.variables],
            "optimizer": [variable.numpy() for variable in trainer.trained_by.variables],
            "callbacks": states,
            "params": params,
        }
        checkpoint_file.write(self.path, content)


def _with_log(
    callbacks: Sequence[keras.callbacks.Callback],
) -> list[keras.callbacks.Callback]:
    """The user's callbacks, and a `History` if there is none among them."""
    logged = any(isinstance(own, keras.callbacks.History) for own in callbacks)
    return [*callbacks, *([] if logged else [keras.callbacks.History()])]


def _epochs(fingerprint: dict[str, Any]) -> int:
    """Of the whole fit that is described."""
    names = ("epochs", "n_steps", "max_passes", "batch_size")
    config = TrainingConfig(**{name: fingerprint["settings"][name] for name in names})
    return length_of_fit(config, fingerprint["rows"]["number"]).epochs


def _version(path: Path) -> tuple[int, ...]:
    """What changes whenever the file is replaced."""
    try:
        status = os.lstat(path)
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size
