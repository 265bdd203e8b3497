"""Settings of pre-training and of classifiers with few labels, free of TensorFlow."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, model_validator

from aegmm_detect.configs.base import Settings
from aegmm_detect.configs.nets import Widths
from aegmm_detect.configs.rows import Probability, Seed
from aegmm_detect.configs.training import TrainingConfig

_Count = Annotated[int, Field(ge=1)]


class StageConfig(TrainingConfig):
    """One stage of a training."""

    # Nothing here has a covariance, so a batch may be a single row.
    batch_size: _Count = 32
    # XLA takes seconds to compile, which few rows do not earn back.
    jit_compile: StrictBool | Literal["auto"] = False


class EpochsConfig(Settings):
    """How long a net trains, and on what share of the rows."""

    # Of inputs and of hidden units, in training.
    dropout: Probability = 0.1
    epochs: _Count = 100
    # Epochs without a better validation loss. Then the weights of the best epoch come back.
    patience: _Count | None = 5
    validation_split: Probability = 0.2
    batch_size: _Count = 32
    # Keras's own for Nadam.
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3
    seed: Seed | None = None

    def stage(self, epochs: int) -> StageConfig:
        """Settings of a stage of so many epochs."""
        return StageConfig.of(
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
        )

    @model_validator(mode="after")
    def _nothing_is_ignored(self) -> Self:
        if self.patience is not None and not self.validation_split:
            raise ValueError(
                "patience waits for the validation loss, and validation_split=0 leaves none: set "
                "patience=None, too, to train for all epochs."
            )
        return self


class AutoencoderConfig(EpochsConfig):
    """Settings of a plain autoencoder. Unlabelled rows are many, so batches are larger."""

    hiddens: Widths = (100, 50, 20)
    activation: str = "elu"
    batch_size: _Count = 256


class FewLabelConfig(EpochsConfig):
    """Settings of a classifier on an encoder."""

    frozen_epochs: Annotated[int, Field(ge=0)] = 10
    l2: Annotated[float, Field(ge=0.0)] = 1e-4
    # Of the encoder that is built where the user passes none.
    hiddens: Widths | None = None
    activation: str | None = None

    @property
    def own_encoder(self) -> AutoencoderConfig:
        """Widths and activation of the encoder that is built, with defaults for those left out."""
        given = {"hiddens": self.hiddens, "activation": self.activation}
        return AutoencoderConfig.of(**{k: v for k, v in given.items() if v is not None})
