"""Settings of the mixture detectors, free of TensorFlow."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from aegmm_detect.configs.base import Settings
from aegmm_detect.configs.density import DensityConfig

Normalize = Literal["standard", "minmax", "robust"]
NanPolicy = Literal["raise", "flag"]
ScoreType = Literal["energy", "reconstruction", "both"]
Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class DetectorConfig(Settings):
    """What a detector is told when it is made, nets apart."""

    kind: Literal["aegmm"] = "aegmm"
    n_gmm: Annotated[int, Field(ge=1)] | None = None
    data_type: str | None = None
    normalize: Normalize | None = None
    nan_policy: NanPolicy = "raise"
    score_type: ScoreType = "energy"
    seed: Seed | None = None


class FitConfig(Settings):
    """What `fit` uses for the arguments that a caller leaves out.

    The defaults are those of alibi-detect's interface, except the learning rate: 1e-4 is what its
    documentation and the DAGMM paper say.
    """

    w_energy: Annotated[float, Field(ge=0.0)] = 0.1
    w_cov_diag: Annotated[float, Field(ge=0.0)] = 0.005
    recon_reduction: Literal["mean", "sum"] = "mean"
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
    jit_compile: bool | Literal["auto"] = "auto"
    # Batches per dispatch, and so per `on_train_batch_end`. Beyond a few hundred nothing is gained.
    steps_per_execution: Annotated[int, Field(ge=1)] = 512
    seed: Seed | None = None
    density: DensityConfig = DensityConfig()

    def override(self, **values: Any) -> Self:
        """Copy with values that a caller gives; `epochs` takes the place of the count of steps."""
        if "epochs" in values:
            values = {"n_steps": None, "max_passes": None, **values}
        return self.replace(**values)

    @model_validator(mode="after")
    def _nothing_is_ignored(self) -> Self:
        if self.max_passes is not None and self.n_steps is None:
            raise ValueError("max_passes bounds n_steps, which is not set: set epochs instead.")
        return self
