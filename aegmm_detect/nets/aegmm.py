"""The autoencoding Gaussian mixture net: encode, decode, features, memberships."""

from typing import Any

import keras
from keras import ops

from aegmm_detect.numerics.features import eucl_cosim_features, per_member
from aegmm_detect.types import ReconFeatures, Tensor


@keras.saving.register_keras_serializable("aegmm_detect")
class AEGMM(keras.Model):
    """Autoencoder whose code and reconstruction features feed a membership net.

    Parameters
    ----------
    encoder_net
        Rows (N, ...) -> code (N, latent).
    decoder_net
        Code -> reconstructions, of the rows' shape.
    gmm_density_net
        Latent vectors (N, latent + F) -> memberships (N, n_gmm), rows sum to 1.
    n_gmm
        Number of components, which a detector made with ``aegmm=`` checks the net against.
    recon_features
        Function of (x, x_recon) -> (N, F).
    name
        Keras's name of the model.
    """

    def __init__(
        self,
        encoder_net: keras.Model,
        decoder_net: keras.Model,
        gmm_density_net: keras.Model,
        n_gmm: int | None = None,
        recon_features: ReconFeatures = eucl_cosim_features,
        name: str = "aegmm",
    ) -> None:
        super().__init__(name=name)
        self.encoder = encoder_net
        self.decoder = decoder_net
        self.gmm_density = gmm_density_net
        self.n_gmm = n_gmm
        self.recon_features = recon_features

    def __reduce__(self) -> tuple[type["AEGMM"], tuple[Any, ...]]:
        # Part by part: any feature function that pickle can name will do.
        parts = (self.encoder, self.decoder, self.gmm_density)
        return type(self), (*parts, self.n_gmm, self.recon_features, self.name)

    def call(self, x: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions, latent vectors `z` (N, D) and memberships (N, K)."""
        # Not passing an unset flag on lets Keras's own default apply.
        mode: dict[str, Any] = {} if training is None else {"training": training}
        code = self.encoder(x, **mode)
        x_recon = self.decoder(code, **mode)
        features = per_member(self.recon_features, x, x_recon)
        z = ops.concatenate([code, ops.cast(features, code.dtype)], axis=-1)
        return x_recon, z, self.gmm_density(z, **mode)
