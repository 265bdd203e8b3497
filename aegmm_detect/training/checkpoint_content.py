"""What a checkpoint has to hold, checked as a whole before any of it is used."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

import keras
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from aegmm_detect.exceptions import CheckpointError
from aegmm_detect.training.callback_state import check_states
from aegmm_detect.training.checkpoint_file import ADVICE
from aegmm_detect.types import Array

_Count = Annotated[int, Field(ge=0, lt=2**31)]


class CheckpointContent(BaseModel):
    """A fit after some of its epochs."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", arbitrary_types_allowed=True
    )

    fingerprint: dict[str, Any]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    epochs: _Count
    stopped: bool
    finished: bool
    net: list[np.ndarray | np.generic]
    optimizer: list[np.ndarray | np.generic]
    callbacks: list[Any]
    params: dict[str, bool | int | str | None]
    # The file, for errors.
    _where: object = PrivateAttr(None)

    @field_validator("fingerprint")
    @classmethod
    def _is_json(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not _is_json(value):
            raise ValueError("no description of a fit")
        return value

    @classmethod
    def of(cls, values: dict[str, Any], where: object) -> Self:
        """Checked values.

        Parameters
        ----------
        values
            Plain, as they are in the file.
        where
            The file, for errors.

        Raises
        ------
        CheckpointError
            Values are missing, unknown or of other types.
        """
        try:
            content = cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))[:100]
            raise _damaged(where, f"{place}: {first['msg'][:100]}") from error
        content._where = where
        settings = content.fingerprint.get("settings")
        if isinstance(settings, dict) and settings.get("seed", content.seed) != content.seed:
            raise content._damaged("its seed is not that of its settings")
        return content

    def check_epochs(self, epochs: int) -> None:
        """Raise unless the fit, of so many epochs, can have come so far."""
        if self.epochs > epochs:
            raise self._damaged(f"{self.epochs:,} epochs are done of {epochs:,}")
        if self.stopped and not self.epochs:
            raise self._damaged("a fit that was stopped before its first epoch")
        if self.finished and not self.stopped and self.epochs < epochs:
            raise self._damaged(f"a finished fit with {self.epochs:,} epochs of {epochs:,}")

    def check_callbacks(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Raise unless the callbacks, all of the fit, can take their states."""
        try:
            check_states(callbacks, self.callbacks)
        except ValueError as error:
            raise self._damaged(str(error)) from error
        for callback, state in zip(callbacks, self.callbacks, strict=True):
            if type(callback) is keras.callbacks.History:
                logged = state.get("epoch", [])
                if logged != list(range(self.epochs)):
                    raise self._damaged(f"a History of {len(logged)} epochs after {self.epochs:,}")

    def check_numbers(self) -> None:
        """Raise unless the variables hold numbers that training can go on from.

        Raises
        ------
        CheckpointError
            NaN; infinity in the nets. The square of a gradient may be too large for its dtype, so
            infinity in the optimizer is not damage.
        """
        for part, values in (("nets", self.net), ("optimizer", self.optimizer)):
            if any(_is_broken(value, part == "nets") for value in values):
                raise self._damaged(f"the variables of the {part} hold NaN or infinity")

    def check_variables(self, net: Sequence[Any], optimizer: Sequence[Any]) -> None:
        """Raise unless variables can take what is kept of them: number, shapes and dtypes.

        Parameters
        ----------
        net, optimizer
            Variables; None for one that is not compared.

        Raises
        ------
        CheckpointError
            Names the first that cannot.
        """
        for part, variables, values in (
            ("nets", net, self.net),
            ("optimizer", optimizer, self.optimizer),
        ):
            if len(variables) != len(values):
                raise self._damaged(
                    f"{len(values)} variables for the {len(variables)} of the {part}"
                )
            for variable, value in zip(variables, values, strict=True):
                found = f"{value.dtype.name} {value.shape}"
                wanted = (
                    f"{variable.dtype} {tuple(variable.shape)}" if variable is not None else found
                )
                if found != wanted:
                    name = getattr(variable, "path", part)
                    raise self._damaged(f"{found[:100]} for {name} of the {part}, {wanted}")

    def check_best_weights(
        self, callbacks: Sequence[keras.callbacks.Callback], weights: Sequence[Any]
    ) -> None:
        """Raise unless the weights that a callback of Keras's keeps are those of the nets.

        Parameters
        ----------
        callbacks
            All of the fit.
        weights
            Of the nets; None for one that is not compared.

        Raises
        ------
        CheckpointError
            Their number, shapes or dtypes differ, or they are not finite.
        """
        wanted = [None if w is None else (str(w.dtype), tuple(w.shape)) for w in weights]
        for callback, state in zip(callbacks, self.callbacks, strict=True):
            early = isinstance(callback, keras.callbacks.EarlyStopping)
            best = state.get("best_weights") if early and isinstance(state, dict) else None
            if best is None:
                continue
            pairs = zip(best, wanted, strict=False)
            if len(best) != len(wanted) or any(
                kind not in (None, (value.dtype.name, value.shape)) for value, kind in pairs
            ):
                raise self._damaged("the best weights of EarlyStopping are not those of the nets")
            if any(_is_broken(value, True) for value in best):
                raise self._damaged("the best weights of EarlyStopping hold NaN or infinity")

    def _damaged(self, found: str) -> CheckpointError:
        return _damaged(self._where, found)


def _is_broken(value: Array | np.generic, infinity: bool) -> bool:
    if value.dtype.kind == "c":  # no variable is complex
        return True
    if not np.issubdtype(value.dtype, np.inexact) and value.dtype.isbuiltin != 2:
        return False
    # Eight bits are not known to all functions of NumPy.
    numbers = np.asarray(value).astype(np.float64)
    return bool(np.isnan(numbers).any() or (infinity and np.isinf(numbers).any()))


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, bool | int | float | str)


def _damaged(where: object, found: str) -> CheckpointError:
    return CheckpointError(
        f"{where} does not hold together ({found}): it is damaged or was changed. {ADVICE}"
    )
