"""Settings of pre-training and of classifiers with few labels, free of TensorFlow."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from aegmm_detect.configs.base import Settings
from aegmm_detect.configs.nets import Widths
from aegmm_detect.configs.rows import Probability, Seed

_Count = Annotated[int, Field(ge=1)]


class EpochsConfig(Settings):
    """How long a net trains, and on what share of the rows."""

    # Of inputs and of hidden units, in training.
    dropout: Probability = 0.1
    epochs: _Count = 100
    # Epochs without a better validation loss; then the best weights come back.
    patience: _Count | None = 5
    validation_split: Probability = 0.2
    batch_size: _Count = 32
    # Keras's own for Nadam.
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3
    seed: Seed | None = None

    @model_validator(mode="after")
    def _nothing_is_ignored(self) -> Self:
        if self.patience is not None and not self.validation_split:
            raise ValueError(
                "patience waits for the validation loss, and validation_split=0 leaves none: set "
                "patience=None, too, to train for all epochs."
            )
        return self


class AutoencoderConfig(EpochsConfig):
    """Of a plain autoencoder. Unlabelled rows are many, so batches are larger."""

    hiddens: Widths = (100, 50, 20)
    activation: str = "elu"
    batch_size: _Count = 256


class FewLabelConfig(EpochsConfig):
    """Of a classifier on an encoder."""

    frozen_epochs: Annotated[int, Field(ge=0)] = 10
    l2: Annotated[float, Field(ge=0.0)] = 1e-4
    # Of the encoder that is built where none is given.
    hiddens: Widths | None = None
    activation: str | None = None

    @property
    def own_encoder(self) -> AutoencoderConfig:
        """Widths and activation of the encoder that is built; others' defaults where left out."""
        given = {"hiddens": self.hiddens, "activation": self.activation}
        return AutoencoderConfig.of(**{k: v for k, v in given.items() if v is not None})
