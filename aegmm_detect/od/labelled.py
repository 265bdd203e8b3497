"""OutlierLabelledAEGMM: the detector that learns from labelled anomalies, too."""

from typing import ClassVar

import keras

from aegmm_detect.configs.aegmm import FitConfig, LabelledFitConfig, ScoreType
from aegmm_detect.configs.rows import NanPolicy, Normalize
from aegmm_detect.numerics.features import eucl_cosim_features
from aegmm_detect.numerics.labelled_loss import anomaly_term
from aegmm_detect.od.building import Building, ready_or_parts
from aegmm_detect.od.objective import MixtureLoss
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.types import ReconFeatures


class OutlierLabelledAEGMM(Building):
    """`OutlierAEGMM` with a term that drives labelled anomalies away from the mixture.

    ``fit(X, ..., y=labels)``: 0 normal, 1 anomaly, -1 unlabelled, which counts as normal. Scaling,
    mixtures and the other terms are those of the rows that are not labelled anomalies. Without `y`
    it is `OutlierAEGMM`.

    Parameters
    ----------
    threshold, aegmm, encoder_net, decoder_net, gmm_density_net, n_gmm, recon_features, data_type
        As for `OutlierAEGMM`.
    normalize, nan_policy, score_type, seed
        As for `OutlierAEGMM`.
    fit_config
        A `LabelledFitConfig`: ``anomaly_loss`` 'hinge' (default) or 'inverse_energy', the published
        one; ``w_anomaly`` (default .1, the weight of the energy); ``margin`` (default 5, in
        standard deviations of the normal rows' energies).

    Raises
    ------
    NetTypeError, ConfigurationError
        As for `OutlierAEGMM`.

    """

    LABELS: ClassVar[bool] = True
    FIT_CONFIG: ClassVar[type[LabelledFitConfig]] = LabelledFitConfig
    AUTO_FIT: ClassVar[FitConfig] = LabelledFitConfig.of(**Building.AUTO_FIT.model_dump())

    def __init__(
        self,
        threshold: float | None = None,
        aegmm: keras.Model | None = None,
        encoder_net: keras.Model | None = None,
        decoder_net: keras.Model | None = None,
        gmm_density_net: keras.Model | None = None,
        n_gmm: int | None = None,
        recon_features: ReconFeatures = eucl_cosim_features,
        data_type: str | None = None,
        *,
        normalize: Normalize | None = None,
        nan_policy: NanPolicy = "raise",
        score_type: ScoreType = "energy",
        seed: int | None = None,
        fit_config: LabelledFitConfig | None = None,
    ) -> None:
        net, config = ready_or_parts(
            aegmm,
            (encoder_net, decoder_net, gmm_density_net),
            recon_features,
            n_gmm=n_gmm,
            data_type=data_type,
            normalize=normalize,
            nan_policy=nan_policy,
            score_type=score_type,
            seed=seed,
        )
        super().__init__(net, threshold, config, fit_config or self.FIT_CONFIG())

    def loss(self, settings: FitConfig, prepared: TrainingRows) -> MixtureLoss:
        """What is minimised."""
        assert isinstance(settings, LabelledFitConfig)
        plain = super().loss(settings, prepared)
        kind, weight, margin = settings.anomaly_loss, settings.w_anomaly, settings.margin
        term = anomaly_term(self.FAMILY, kind, weight, margin, settings.autoencoder_share)
        return plain._replace(terms=(*plain.terms, term))
