"""Sizes of the nets that the package builds itself, free of TensorFlow."""

from typing import Annotated

from pydantic import Field

from aegmm_detect.configs.base import Settings

Width = Annotated[int, Field(ge=1)]
Widths = Annotated[tuple[Width, ...], Field(min_length=1)]


class NetSizes(Settings):
    """The size-list way of writing down an AEGMM."""

    n_features: Width
    comp_hiddens: Widths
    est_hiddens: Widths
    comp_activation: str = "tanh"
    est_activation: str = "tanh"
    est_dropout_ratio: Annotated[float, Field(ge=0.0, lt=1.0)] | None = 0.5

    @property
    def latent_dim(self) -> int:
        """Width of the code."""
        return self.comp_hiddens[-1]

    @property
    def n_gmm(self) -> int:
        """Number of mixture components."""
        return self.est_hiddens[-1]


def sizes_for(n_features: int) -> NetSizes:
    """Sizes from the width of the data alone.

    A funnel like the DAGMM paper's for KDD (118-60-30-10-1) and Thyroid (6-12-4-1): the first
    layer about half the inputs, never under 12 nor over 128, then shrinking to the code.
    """
    first = min(max(n_features // 2, 12), 128)
    middle = (first // 2, first // 6) if first >= 24 else (first // 3,)
    latent = 1 if n_features < 8 else 2
    return NetSizes.of(
        n_features=n_features, comp_hiddens=(first, *middle, latent), est_hiddens=(10, 4)
    )
