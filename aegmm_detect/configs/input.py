"""Rows that a detector was fitted on, as a saved one says it; free of TensorFlow."""

import math
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from aegmm_detect.configs.base import Settings

# Numbers of a row: 64 MiB in float32. Nothing is made of that shape before it is compared.
_LARGEST_ROW = 2**24

Size = Annotated[int, Field(ge=0, le=2**48)]


class InputEntry(Settings):
    """Rows that the detector was fitted on."""

    shape: Annotated[tuple[Size, ...], Field(max_length=8)]
    # What rows are cast to before they are scored.
    dtype: Annotated[str, Field(pattern="^float(32|64)$")]
    names: tuple[str, ...] | None = None  # of the columns of a data frame
    eager: bool = False  # the nets run uncompiled

    @field_validator("shape")
    @classmethod
    def _fits_memory(cls, shape: tuple[int, ...]) -> tuple[int, ...]:
        if math.prod(shape) > _LARGEST_ROW:
            raise ValueError(f"a row has {math.prod(shape):,} numbers; {_LARGEST_ROW:,} fit")
        return shape

    @model_validator(mode="after")
    def _a_name_for_each_column(self) -> "InputEntry":
        if self.names is not None and (
            self.shape != (len(self.names),) or len(set(self.names)) < len(self.names)
        ):
            raise ValueError(f"{len(self.names)} names for rows of shape {self.shape}")
        return self
