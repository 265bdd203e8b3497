"""What every detector decides about rows, free of TensorFlow."""

from typing import Annotated, Literal

from pydantic import Field

from aegmm_detect.configs.base import Settings

Normalize = Literal["standard", "minmax", "robust"]
NanPolicy = Literal["raise", "flag"]
Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class RowsConfig(Settings):
    """Settings that every detector has."""

    data_type: str | None = None
    normalize: Normalize | None = None
    nan_policy: NanPolicy = "raise"
    seed: Seed | None = None
