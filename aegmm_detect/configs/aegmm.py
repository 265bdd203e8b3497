"""Settings of the mixture detectors, free of TensorFlow."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.configs.maps import MapTraining
from aegmm_detect.configs.rows import RowsConfig
from aegmm_detect.configs.training import TrainingConfig

ScoreType = Literal["energy", "reconstruction", "both"]


class DetectorConfig(RowsConfig):
    """Settings of a mixture detector, without its nets."""

    n_gmm: Annotated[int, Field(ge=1)] | None = None
    score_type: ScoreType = "energy"


class VAEGMMConfig(DetectorConfig):
    """Of the variational detector."""

    # Draws of the code that a score is the mean over; 0 scores by its mean.
    samples: Annotated[int, Field(ge=0)] = 10
    # Weight of the Kullback-Leibler divergence.
    beta: Annotated[float, Field(ge=0.0)] = 1.0


class VQAEGMMConfig(DetectorConfig):
    """Of the detector with a quantised code; defaults of the paper, or of the DAGMM project."""

    n_codes: Annotated[int, Field(ge=2)] = 16
    w_commitment: Annotated[float, Field(ge=0.0)] = 0.25


class SOMAEGMMConfig(DetectorConfig):
    """Of the detector with self-organising maps."""

    n_maps: Annotated[int, Field(ge=1)] = 2
    # Nodes along a side; None: by the number of training rows.
    side: Annotated[int, Field(ge=2)] | None = None
    # None: as `MapTraining` is by default.
    map_training: MapTraining | None = None


class FitConfig(TrainingConfig):
    """What `fit` uses for the arguments that a caller leaves out.

    The defaults are those of alibi-detect's interface, except the learning rate: 1e-4 is what its
    documentation and the DAGMM paper say.
    """

    w_energy: Annotated[float, Field(ge=0.0)] = 0.1
    w_cov_diag: Annotated[float, Field(ge=0.0)] = 0.005
    recon_reduction: Literal["mean", "sum"] = "mean"
    # Share of training in which the nets learn to reconstruct alone, before energy and penalty
    # have any weight: the warm start of other autoencoders. The DAGMM paper found that it hurts.
    autoencoder_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    density: DensityConfig = DensityConfig()


class VAEGMMFitConfig(FitConfig):
    """Of the variational detector; defaults of alibi-detect's interface."""

    w_recon: Annotated[float, Field(ge=0.0)] = 1e-7
    # Covariance of a row around its reconstruction: {'sim': standard deviation}, {'cov_diag':
    # variances or None} or {'cov_full': matrix or None}, where None is that of the training rows.
    cov_elbo: dict[str, Any] = Field(default_factory=lambda: {"sim": 0.05})
    # Share of training over which the divergence's weight rises from 0.
    kl_warmup: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0

    @field_validator("cov_elbo", mode="before")
    @classmethod
    def _as_plain_numbers(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in value.items()}

    @model_validator(mode="after")
    def _one_covariance(self) -> Self:
        if len(self.cov_elbo) != 1 or not self.cov_elbo.keys() <= {"sim", "cov_diag", "cov_full"}:
            raise ValueError(
                f"cov_elbo={self.cov_elbo!r}: give one of 'sim', 'cov_diag' and 'cov_full'."
            )
        ((kind, value),) = self.cov_elbo.items()
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind == "sim" and not (number and 0.0 < value < float("inf")):
            raise ValueError(f"cov_elbo={self.cov_elbo!r}: 'sim' is a positive standard deviation.")
        if kind != "sim" and not (value is None or isinstance(value, list | tuple)):
            raise ValueError(
                f"cov_elbo={self.cov_elbo!r}: pass None, for the training rows' own, or numbers."
            )
        return self


class LabelledFitConfig(FitConfig):
    """Of the detector that learns from labelled anomalies."""

    # 'hinge': an anomaly should lie `margin` spreads above normal energies. 'inverse_energy': its
    # inverse energy is minimised, as published, made safe where energies are not positive.
    anomaly_loss: Literal["hinge", "inverse_energy"] = "hinge"
    w_anomaly: Annotated[float, Field(ge=0.0)] = 0.1
    margin: Annotated[float, Field(gt=0.0)] = 5.0
