"""How nets are trained, whatever the model, free of TensorFlow."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, model_validator

from aegmm_detect.configs.base import Settings
from aegmm_detect.configs.rows import Probability, Seed


class TrainingConfig(Settings):
    """What `fit` uses for the arguments that a caller leaves out."""

    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-4
    # 'cosine': from `learning_rate` down to nothing over the whole run.
    learning_rate_decay: Literal["cosine"] | None = None
    epochs: Annotated[int, Field(ge=1)] = 20
    # Train for about so many steps, whatever the number of rows; `epochs` then follows. Few rows
    # are passed over at most `max_passes` times: more would learn them by heart.
    n_steps: Annotated[int, Field(ge=1)] | None = None
    max_passes: Annotated[int, Field(ge=1)] | None = None
    # One row has no covariance.
    batch_size: Annotated[int, Field(ge=2)] = 64
    validation_split: Probability = 0.0
    clip_norm: Annotated[float, Field(gt=0.0)] | None = None
    jit_compile: StrictBool | Literal["auto"] = "auto"
    # Batches per dispatch, and so per `on_train_batch_end`. Beyond a few hundred nothing is gained.
    steps_per_execution: Annotated[int, Field(ge=1)] = 512
    seed: Seed | None = None

    def override(self, **values: Any) -> Self:
        """Copy with values that a caller gives; `epochs` takes the place of the count of steps."""
        if "epochs" in values:
            values = {"n_steps": None, "max_passes": None, **values}
        return self.replace(**values)

    @model_validator(mode="after")
    def _steps_are_bounded_by_passes(self) -> Self:
        if self.max_passes is not None and self.n_steps is None:
            raise ValueError("max_passes bounds n_steps, which is not set: set epochs instead.")
        return self
