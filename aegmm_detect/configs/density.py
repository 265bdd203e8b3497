"""How the density that scores rows is estimated, free of TensorFlow."""

from typing import Annotated, Literal

from pydantic import Field

from aegmm_detect.configs.base import Settings


class DensityConfig(Settings):
    """Settings of the estimate after training; the defaults are the DAGMM paper's."""

    # None: the components and memberships of the density net. Else expectation-maximisation on the
    # learned z, with so many components or, 'auto', as many as the rows bear.
    n_components: Annotated[int, Field(ge=1)] | Literal["auto"] | None = None
    # Of the prepared rows, put beside z for that.
    principal_components: Annotated[int, Field(ge=0)] = 0
    # Added to the variances of standardised z.
    reg: Annotated[float, Field(gt=0.0)] = 1e-3
    # A mixture of some dozen components gains nothing from more rows.
    max_rows: Annotated[int, Field(ge=2)] = 40_000
