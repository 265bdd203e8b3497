"""Sizes of the nets that the package builds itself, free of TensorFlow."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from aegmm_detect.configs.base import Settings, refuse_text_and_truth
from aegmm_detect.exceptions import ConfigurationError

Width = Annotated[int, Field(ge=1), BeforeValidator(refuse_text_and_truth)]
Widths = Annotated[
    tuple[Width, ...],
    Field(min_length=1),
    # Arrays and other iterables, too.
    BeforeValidator(lambda value: tuple(value) if isinstance(value, Iterable) else value),
]


class NetSizes(Settings):
    """The size-list way of writing down an AEGMM."""

    n_features: Width
    comp_hiddens: Widths
    est_hiddens: Widths
    comp_activation: str = "tanh"
    est_activation: str = "tanh"
    est_dropout_ratio: Annotated[float, Field(ge=0.0, lt=1.0)] | None = 0.5

    @classmethod
    def width(cls, value: Any, name: str) -> int:
        """A width that a user gives alone, checked."""
        try:
            return TypeAdapter(Width).validate_python(value)
        except ValidationError as error:
            raise ConfigurationError(
                f"{name}={value!r}: a width is a whole number from 1."
            ) from error

    @property
    def latent_dim(self) -> int:
        """Width of the code."""
        return self.comp_hiddens[-1]

    @property
    def n_gmm(self) -> int:
        """Number of mixture components."""
        return self.est_hiddens[-1]


class CodeConfig(Settings):
    """What kind of code a net has that is not the encoder's output itself."""

    # 'gaussian': drawn from a normal distribution for each row (variational autoencoder).
    # 'quantized': the nearest of `n_codes` vectors (VQ-VAE).
    kind: Literal["gaussian", "quantized"]
    n_codes: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _nothing_is_ignored(self) -> Self:
        if (self.kind == "quantized") != (self.n_codes is not None):
            raise ValueError("n_codes is for kind='quantized', which needs it.")
        return self


class AutoConfig(Settings):
    """What a user may say who has no opinion on nets."""

    n_features: Width
    # Nets that vote.
    ensemble: Annotated[int, Field(ge=1, le=64)] = 4
    # Share of anomalies among the training rows.
    contamination: Annotated[float, Field(ge=0.0, le=0.25)] = 0.0


def sizes_for(n_features: int) -> NetSizes:
    """Sizes from the width of the data alone.

    Two hidden layers of fixed widths and a code of half the inputs, at most 10: the wider code of
    Bergman and Hoshen (2020) and others, not the one or two numbers of the DAGMM paper, which leave
    the residual alone to tell anomalies.
    """
    latent = max(1, min(10, n_features // 2))
    return NetSizes.of(n_features=n_features, comp_hiddens=(64, 32, latent), est_hiddens=(10, 4))


def steps_for(n_features: int) -> int:
    """Training steps from the width of the data: 2,000, fewer from 200 columns on, 500 from 400 on.

    Time goes with steps times columns. On the development tasks, 500 to 2,000 steps are alike.
    """
    return max(500, min(2000, 80_000_000 // n_features**2))
