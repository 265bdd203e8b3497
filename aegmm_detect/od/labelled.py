"""OutlierLabelledAEGMM: the detector that learns from labelled anomalies, too."""

from typing import Any, ClassVar

import keras

from aegmm_detect.configs.aegmm import FitConfig, LabelledFitConfig
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics.labelled_loss import anomaly_term
from aegmm_detect.od.aegmm import OutlierAEGMM
from aegmm_detect.od.building import Building
from aegmm_detect.training.objectives import Loss
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.training.ready import How


class OutlierLabelledAEGMM(OutlierAEGMM):
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

    def _fit(
        self, X: Any, y: Any, settings: FitConfig, how: How, trains: bool = True
    ) -> keras.callbacks.History:
        if y is not None and how.own_loss is not None:
            raise ConfigurationError(
                "loss_fn sees no labels, so y would be ignored: leave one of them out."
            )
        return super()._fit(X, y, settings, how, trains)

    def _loss(self, settings: FitConfig, prepared: TrainingRows) -> Loss:
        assert isinstance(settings, LabelledFitConfig)
        plain = super()._loss(settings, prepared)
        kind, weight, margin = settings.anomaly_loss, settings.w_anomaly, settings.margin
        term = anomaly_term(self.FAMILY, kind, weight, margin, settings.autoencoder_share)
        return plain._replace(terms=(*plain.terms, term))
