"""Checkpoints, from which an interrupted fit resumes: one file, replaced after every epoch."""

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
    """The checkpoint of a fit in a folder. Only one fit at a time can use the folder.

    Parameters
    ----------
    folder
        Path of the folder; it is made if it does not exist.

    Raises
    ------
    ConfigurationError
        The folder cannot be used or made.
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
        """Number of completed epochs."""
        return 0 if self._found is None else self._found.epochs

    @property
    def finished(self) -> bool:
        """Whether the training is complete."""
        return self._found is not None and self._found.finished

    @property
    def stopped(self) -> bool:
        """Whether a callback stopped the training after these epochs."""
        return self._found is not None and self._found.stopped

    def seed(self, given: int | None) -> int:
        """The seed of the fit: `given`, or the one in the checkpoint, or a new random one."""
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
        """Lock the folder. Check that its checkpoint is from this fit.

        Parameters
        ----------
        fingerprint
            Fingerprint of this fit.
        callbacks
            The user's callbacks.
        net
            The net to train; it is not changed.
        slots
            Variables like those that the optimizers will have.

        Raises
        ------
        CheckpointError
            The checkpoint is from another fit (the message says what differs), or does not match
            the variables; or another fit is using the folder.
        ConfigurationError
            A callback cannot be resumed.
        """
        check_resumable(callbacks)
        self._lock.acquire()
        try:
            if self._version != _version(self.path):
                self._read()  # another fit has written it meanwhile
            self._fingerprint = fingerprint
            self._check_found(callbacks, net, slots)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Unlock the folder."""
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
        """Restore the fit from the checkpoint. If there is none, the fit starts from scratch.

        Parameters
        ----------
        trainer
            The compiled trainer, with built optimizers. If the fit had finished, its `history` is
            set to that of the fit.
        callbacks
            The user's callbacks.

        Returns
        -------
        Callbacks of the fit: the user's, a `History` and the one that writes checkpoints.

        Raises
        ------
        CheckpointError
            The checkpoint does not match the variables. None of them is changed.
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
        """Restore the states of the callbacks, which must be in the order of the fit."""
        if self._found is not None:
            set_states(callbacks, self._found.callbacks)

    @property
    def after_failure(self) -> str:
        """Note to add to the error if the loss is not finite."""
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
        """Write the checkpoint, which replaces the file.

        Parameters
        ----------
        trainer
            The trainer; the variables of its net and its optimizers are written.
        epochs
            Number of completed epochs.
        states
            States of the callbacks.
        params
            Parameters of the fit that Keras passed to the callbacks.
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
    """Return the callbacks, with a `History` added if there is none among them."""
    logged = any(isinstance(own, keras.callbacks.History) for own in callbacks)
    return [*callbacks, *([] if logged else [keras.callbacks.History()])]


def _epochs(fingerprint: dict[str, Any]) -> int:
    """Number of epochs of the whole fit with this fingerprint."""
    names = ("epochs", "n_steps", "max_passes", "batch_size")
    config = TrainingConfig(**{name: fingerprint["settings"][name] for name in names})
    return length_of_fit(config, fingerprint["rows"]["number"]).epochs


def _version(path: Path) -> tuple[int, ...]:
    """Inode, time and size of the file, which change whenever it is replaced; () if missing."""
    try:
        status = os.lstat(path)
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size
