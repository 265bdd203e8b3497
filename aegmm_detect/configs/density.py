"""How the density that scores rows is estimated, free of TensorFlow."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from aegmm_detect.configs.base import Settings

Part = Literal["full", "diagonal", "single"]


class DensityConfig(Settings):
    """Settings of the estimate after training. By default it is the density net's own mixture."""

    # None: the components and memberships of the density net. Else expectation-maximisation on the
    # learned z, with so many components or, 'auto', as many as the rows bear.
    n_components: Annotated[int, Field(ge=1)] | Literal["auto"] | None = None
    # Mixtures of each net, whose energies are averaged. 'full': full covariances, of z and the
    # principal components. 'diagonal': diagonal ones, which hold tails better. 'single': one
    # component of z alone, diagonal, which no fine mixture's components in the tails can fool.
    # A Laplacian mixture has the last two.
    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = ("full",)
    # Of the prepared rows, put after z for that.
    principal_components: Annotated[int, Field(ge=0)] = 0
    # Spreads beyond which an energy counts logarithmically in the average; None for no limit. Where
    # there is a single mixture, nothing is averaged.
    limit: Annotated[float, Field(gt=0.0)] | None = None
    # Share of rows, those that a first fit finds strangest, that all parts leave out. It has full
    # covariances; a Laplacian one, which has none, is 'diagonal'.
    trim: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    # Added to the variances of standardised z; the least variance of a Laplacian component.
    reg: Annotated[float, Field(gt=0.0)] = 1e-3
    # A mixture of some dozen components gains little from more rows, and they take time.
    max_rows: Annotated[int, Field(ge=2)] = 20_000

    @model_validator(mode="after")
    def _nothing_is_ignored(self) -> Self:
        only_for_a_refit = ("parts", "principal_components", "trim", "reg")
        changed = [
            n for n in only_for_a_refit if getattr(self, n) != type(self).model_fields[n].default
        ]
        if self.n_components is None and changed:
            raise ValueError(
                f"{', '.join(changed)} would be ignored: the density net's own mixture is not "
                "fitted again. Set n_components, for example to 'auto'."
            )
        return self
