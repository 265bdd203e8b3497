"""OutlierAELMM: the autoencoding mixture detector with Laplacian components."""

from typing import Any, ClassVar, Self

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.numerics.families import LAPLACIAN, Family
from aegmm_detect.od.building import Building


class OutlierAELMM(Building):
    """Deep autoencoding Laplacian mixture model.

    `OutlierAEGMM` with a Laplacian instead of a Gaussian mixture: in the loss, in the estimate
    after training and in the score. Its energy grows with the distance of `z` from a component, not
    with the squared distance; the same holds for the effect of an extreme row on a scale. Within a
    component the features of `z` are independent. `scale` replaces `cov`, `L` and `log_det_cov`.
    `update` raises an error, because absolute deviations cannot be merged once a mean has moved.

    Parameters
    ----------
    threshold, aegmm, encoder_net, decoder_net, gmm_density_net, n_gmm, recon_features, data_type
        As for `OutlierAEGMM`.
    normalize, nan_policy, score_type, seed
        As for `OutlierAEGMM`.
    fit_config
        As for `OutlierAEGMM`; ``w_cov_diag`` weighs the sum of inverse scales 1 / b, and
        ``density.parts`` can be 'diagonal' and 'single'.

    Raises
    ------
    NetTypeError, ConfigurationError
        As for `OutlierAEGMM`; a refit with the part 'full'.

    Notes
    -----
    E(z) = -log sum_k phi_k prod_d exp(-abs(z_d - mu_kd) / b_kd) / (2 b_kd); see
    :mod:`aegmm_detect.numerics.laplace`.

    """

    FAMILY: ClassVar[Family] = LAPLACIAN
    # The Gaussian recipe without the part that a Laplacian does not have.
    AUTO_FIT: ClassVar[FitConfig] = Building.AUTO_FIT.replace(
        density=Building.AUTO_FIT.density.replace(parts=("diagonal", "single"))
    )

    @classmethod
    def auto(
        cls, n_features: int, *, ensemble: int = 4, contamination: float = 0.0, **settings: Any
    ) -> Self:
        """Make a detector for rows of `n_features` numbers, with nets and settings chosen for you.

        Nets and training are as in `OutlierAEGMM.auto`, with the Laplacian loss. Each net has two
        densities: a Laplacian mixture of code, features and 20 principal components of the input,
        whose number of components depends on the number of rows; and a single Laplacian of code and
        features.

        Parameters
        ----------
        n_features, ensemble, contamination, **settings
            As for `OutlierAEGMM.auto`.

        Returns
        -------
        A detector. Each `fit` starts from new weights.
        """
        return super().auto(n_features, ensemble=ensemble, contamination=contamination, **settings)
