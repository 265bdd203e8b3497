"""The variational net under the name that users of alibi-detect have in their code."""

import keras

from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.codes import GaussianCode
from aegmm_detect.numerics.features import eucl_cosim_features
from aegmm_detect.programs.structure import shared_class
from aegmm_detect.types import ReconFeatures


@shared_class
class VAEGMM(AEGMM):
    """An `AEGMM` whose code is drawn; it saves, copies and scores as one.

    Parameters
    ----------
    encoder_net
        Rows (N, ...) -> (N, H), flat; layers for mean and log-variance are added.
    decoder_net, gmm_density_net, n_gmm, recon_features, name
        As for `AEGMM`.
    latent_dim
        Width of the code.
    """

    def __init__(
        self,
        encoder_net: keras.Model,
        decoder_net: keras.Model,
        gmm_density_net: keras.Model,
        n_gmm: int | None,
        latent_dim: int,
        recon_features: ReconFeatures = eucl_cosim_features,
        name: str = "vaegmm",
    ) -> None:
        super().__init__(
            encoder_net,
            decoder_net,
            gmm_density_net,
            n_gmm,
            recon_features,
            name,
            code=GaussianCode.of_width(latent_dim),
        )
