"""OutlierLabelledAEGMM: the detector that learns from labelled anomalies, too."""

from typing import ClassVar

from aegmm_detect.configs.aegmm import FitConfig, LabelledFitConfig
from aegmm_detect.numerics.labelled_loss import anomaly_term
from aegmm_detect.od.building import Building
from aegmm_detect.od.objective import MixtureLoss
from aegmm_detect.training.prepare import TrainingRows


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

    def loss(self, settings: FitConfig, prepared: TrainingRows) -> MixtureLoss:
        """The loss to minimise."""
        assert isinstance(settings, LabelledFitConfig)
        plain = super().loss(settings, prepared)
        kind, weight, margin = settings.anomaly_loss, settings.w_anomaly, settings.margin
        term = anomaly_term(self.FAMILY, kind, weight, margin, settings.autoencoder_share)
        return plain._replace(terms=(*plain.terms, term))
