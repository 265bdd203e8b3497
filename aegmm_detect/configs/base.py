"""What all settings share: frozen, no unknown names, errors that say what fits."""

import re
import reprlib
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from aegmm_detect.exceptions import ConfigurationError

_TRIED = re.compile(r"(bool|int|float|str|(literal|constrained|function)\W.*)$")


class Settings(BaseModel):
    """Frozen settings; build them with `of`, which raises the package's own error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes "3" and True for numbers; in JSON, text stands for infinity."""
        if info.mode == "python" and info.field_name:
            kinds = set(_kinds(cls.model_fields[info.field_name].annotation))
            if kinds & {int, float} and type(value) not in kinds:
                return refuse_text_and_truth(value)
        return value

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Checked settings.

        Raises
        ------
        ConfigurationError
            Names each argument that does not fit, what came and what fits.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigurationError(_describe(error)) from error

    def replace(self, **changes: Any) -> Self:
        """Copy with some values changed and everything checked again."""
        return self.of(**(self.model_dump() | changes))


def refuse_text_and_truth(value: Any) -> Any:
    """`value` itself, unless it is what Pydantic makes a number of and a user does not mean."""
    if isinstance(value, bool | np.bool_ | str):
        raise ValueError("input should be a number")
    return value


def _kinds(annotation: Any) -> Iterator[type]:
    """Types that values may have, from unions, literals and annotated types."""
    if get_origin(annotation) is Literal:
        yield from map(type, get_args(annotation))
    elif get_origin(annotation) is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    else:
        yield annotation


def _describe(error: ValidationError) -> str:
    found: dict[str, list[str]] = {}
    for problem in error.errors():
        if not problem["loc"]:  # of the settings as a whole
            found.setdefault(str(problem["ctx"]["error"]), [])
        elif problem["type"] == "extra_forbidden":
            found.setdefault(f"{_name(problem)} is not an argument here", [])
        else:
            text = problem["msg"].removeprefix("Value error, ")
            came = f"{_name(problem)}={reprlib.repr(problem['input'])}: "
            found.setdefault(came, []).append(text[:1].lower() + text[1:])
    return "; ".join(what + ", or ".join(texts) for what, texts in found.items())


def _name(problem: Any) -> str:
    """Of the value; pydantic adds the type that it tried where several fit."""
    return ".".join(str(part) for part in problem["loc"] if not _TRIED.match(str(part)))
