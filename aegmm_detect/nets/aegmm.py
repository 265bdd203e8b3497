"""The autoencoding Gaussian mixture net: encode, decode, features, memberships."""

from typing import Any

import keras
from keras import ops

from aegmm_detect.numerics.features import eucl_cosim_features, per_member
from aegmm_detect.numerics.objective import ForwardPass
from aegmm_detect.programs.structure import shared_class
from aegmm_detect.serialization.copies import pack, unpack
from aegmm_detect.types import ReconFeatures, Tensor

# Attributes that hold nets; the last two may be None.
NET_NAMES = ("encoder", "decoder", "gmm_density", "code", "context")


@shared_class
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
    code
        What makes a code of the encoder's output: ``code(h, training=, noise=)`` returns (code,
        extras). Default None: the output is the code.
    context
        Rows (N, ...) -> (N, C): further columns of z, after the features. Default None: no more.
    """

    SHARED_PARTS = (*NET_NAMES, "recon_features")

    def __init__(
        self,
        encoder_net: keras.Model,
        decoder_net: keras.Model,
        gmm_density_net: keras.Model,
        n_gmm: int | None = None,
        recon_features: ReconFeatures = eucl_cosim_features,
        name: str = "aegmm",
        *,
        code: keras.Model | None = None,
        context: keras.Model | None = None,
    ) -> None:
        # Whatever Keras is set to for the whole process: a fit and its saved file are float32.
        super().__init__(name=name, dtype="float32")
        self.encoder = encoder_net
        self.decoder = decoder_net
        self.gmm_density = gmm_density_net
        self.n_gmm = n_gmm
        self.recon_features = recon_features
        self.code = code
        self.context = context
        # Keras would find out when it is first called, but `forward` may come first.
        parts = (encoder_net, decoder_net, gmm_density_net, code, context)
        self.built = all(getattr(part, "built", True) for part in parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # Part by part: any feature function that pickle can name will do. As an `AEGMM`, which
        # subclasses without a `call` of their own compute, too.
        kind = AEGMM if computes_as_aegmm(self) else type(self)
        nets = {name: getattr(self, name) for name in NET_NAMES}
        packed = {name: None if net is None else pack(net, name) for name, net in nets.items()}
        return _rebuilt, (kind, packed, self.n_gmm, self.recon_features, self.name)

    def call(self, x: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions, latent vectors `z` (N, D) and memberships (N, K)."""
        out = self.forward(x, training)
        return out.x_recon, out.z, out.gamma

    def forward(
        self, x: Tensor, training: bool | None = None, noise: Tensor | None = None
    ) -> ForwardPass:
        """All that a batch gives.

        Parameters
        ----------
        x
            Prepared rows (N, ...).
        training
            As Keras has it.
        noise
            Of a code that is drawn, in place of its own: standard normal, (N, latent) or (latent,).
        """
        mode = _mode(training)
        code, extras = self.encode(x, training, noise)
        # A user's nets may compute in another precision; what is made of their outputs does not.
        x_recon = ops.cast(self.decoder(code, **mode), "float32")
        code = ops.cast(code, "float32")
        stacked = len(code.shape) == 3
        features = per_member(self.recon_features, ops.cast(x, "float32"), x_recon, stacked)
        parts = [code, ops.cast(features, "float32")]
        if self.context is not None:
            context = ops.cast(self.context(x), "float32")
            # The same for all members of an ensemble.
            parts.append(ops.broadcast_to(context, (*ops.shape(code)[:-1], context.shape[-1])))
        z = ops.concatenate(parts, axis=-1)
        gamma = ops.cast(self.gmm_density(z, **mode), "float32")
        return ForwardPass(x, x_recon, z, gamma, extras)

    def encode(
        self, x: Tensor, training: bool | None = None, noise: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Code (N, latent), and what else its kind has; see `forward`."""
        mode = _mode(training)
        hidden = self.encoder(x, **mode)
        return (hidden, {}) if self.code is None else self.code(hidden, noise=noise, **mode)


def computes_as_aegmm(net: keras.Model) -> bool:
    """Whether `net` computes what an `AEGMM` of its parts does."""
    names = ("call", "forward", "encode")
    return isinstance(net, AEGMM) and all(
        getattr(type(net), name) is getattr(AEGMM, name) for name in names
    )


def _rebuilt(kind: type[AEGMM], packed: dict[str, Any], *settings: Any) -> AEGMM:
    nets = {name: unpack(part, name) for name, part in packed.items()}
    *three, code, context = (nets[name] for name in NET_NAMES)
    return kind(*three, *settings, code=code, context=context)


def _mode(training: bool | None) -> dict[str, Any]:
    # Not passing an unset flag on lets Keras's own default apply.
    return {} if training is None else {"training": training}


def forward_pass(
    net: keras.Model, x: Tensor, training: bool | None = None, noise: Tensor | None = None
) -> ForwardPass:
    """All that a batch gives, of an `AEGMM` or of a user's ready model."""
    # A subclass with a `call` of its own may compute something else.
    if isinstance(net, AEGMM) and type(net).call is AEGMM.call:
        return net.forward(x, training, noise)
    return ForwardPass(x, *net(x, training=training))
