"""What a checkpoint has to hold, checked as a whole before any of it is used."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

import keras
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from aegmm_detect.exceptions import CheckpointError
from aegmm_detect.training.callback_state import check_states
from aegmm_detect.types import Array

_ADVICE = "Put back a copy of it, or delete it to train from the start."
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
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))[:100]
            raise _damaged(where, f"{place}: {first['msg'][:100]}") from error

    def check_epochs(self, epochs: int, where: object) -> None:
        """Raise unless the fit, of so many epochs, can have come so far."""
        if self.epochs > epochs:
            raise _damaged(where, f"{self.epochs:,} epochs are done of {epochs:,}")

    def check_callbacks(self, callbacks: Sequence[keras.callbacks.Callback], where: object) -> None:
        """Raise unless the callbacks, all of the fit, can take their states."""
        try:
            check_states(callbacks, self.callbacks)
        except ValueError as error:
            raise _damaged(where, str(error)) from error

    def check_numbers(self, shapes: Sequence[Sequence[int]], where: object) -> None:
        """Raise unless the variables hold numbers that training can go on from.

        Parameters
        ----------
        shapes
            Of the variables of the nets. There can be more in the file, which nets get when they
            have seen the rows; then `check_variables` alone compares them.
        where
            The file, for errors.

        Raises
        ------
        CheckpointError
            Other shapes; NaN; infinity in the nets. The square of a gradient may be too large for
            its dtype, so infinity in the optimizer is no damage.
        """
        found = [list(value.shape) for value in self.net]
        if len(found) == len(shapes) and found != [list(shape) for shape in shapes]:
            raise _damaged(where, "the variables of the nets have other shapes")
        for part, values in (("nets", self.net), ("optimizer", self.optimizer)):
            if any(_is_broken(value, part == "nets") for value in values):
                raise _damaged(where, f"the variables of the {part} hold NaN or infinity")

    def check_variables(self, net: Sequence[Any], optimizer: Sequence[Any], where: object) -> None:
        """Raise unless variables can take what is kept of them: number, shapes and dtypes.

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
                raise _damaged(
                    where, f"{len(values)} variables for the {len(variables)} of the {part}"
                )
            for variable, value in zip(variables, values, strict=True):
                found = f"{value.dtype.name} {value.shape}"
                wanted = f"{variable.dtype} {tuple(variable.shape)}"
                if found != wanted:
                    name = getattr(variable, "path", part)
                    raise _damaged(where, f"{found[:100]} for {name} of the {part}, {wanted}")

    def check_best_weights(
        self, callbacks: Sequence[keras.callbacks.Callback], trainer: keras.Model, where: object
    ) -> None:
        """Raise unless the weights that a callback of Keras's keeps are those of the trainer."""
        wanted = [tuple(weight.shape) for weight in trainer.weights]
        for callback, state in zip(callbacks, self.callbacks, strict=True):
            early = isinstance(callback, keras.callbacks.EarlyStopping)
            best = state.get("best_weights") if early and isinstance(state, dict) else None
            if best is not None and [value.shape for value in best] != wanted:
                raise _damaged(where, "the best weights of EarlyStopping have other shapes")


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


def _damaged(where: object, told: str) -> CheckpointError:
    return CheckpointError(
        f"{where} does not hold together ({told}): it is damaged or was changed. {_ADVICE}"
    )
