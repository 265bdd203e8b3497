"""Kinds of code: what becomes of the encoder's output before it is decoded.

Each is a `keras.Model` whose call returns (code, extras): `extras` has what its training terms
need, by name. Axes in front of the rows', of an ensemble's members, pass through.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from aegmm_detect.nets.dropout import next_seed
from aegmm_detect.numerics.portable import first_largest
from aegmm_detect.programs.structure import shared_class
from aegmm_detect.types import FloatArray, Tensor

# Standard deviations from e^-5 to e^5: beyond that no code is of use, and exp overflows.
_LOG_VARIANCES = (-10.0, 10.0)
# Rows of a batch, on the moving average, below which a code vector is dead.
_DEAD = 0.1
_TINY = 1e-10


class Code(keras.Model):
    """What the kinds of code share."""

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Keras's hook: weights come next, and need their variables."""
        self.build(config["input_shape"])


@shared_class
@keras.saving.register_keras_serializable("aegmm_detect")
class GaussianCode(Code):
    """Mean and log-variance of a code, which is drawn in training and the mean otherwise.

    Kingma and Welling (ICLR 2014), Auto-encoding variational Bayes, eq. 10 and appendix B.
    extras: 'kl', the divergence of each row's distribution from the standard normal, mean over the
    code's dimensions, in nats.

    Parameters
    ----------
    mean, log_variance
        Layers: encoder's output -> (..., latent).
    seed
        Of the draws.
    name
        Keras's name of the model.
    """

    SHARED_PARTS = ("mean", "log_variance")

    def __init__(
        self,
        mean: keras.layers.Layer,
        log_variance: keras.layers.Layer,
        seed: int | None = None,
        name: str = "gaussian_code",
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.mean = mean
        self.log_variance = log_variance
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    @classmethod
    def of_width(cls, latent_dim: int, seed: int | None = None) -> "GaussianCode":
        """With dense heads of `latent_dim` units; nothing else depends on the encoder."""
        init = keras.initializers.GlorotUniform
        seeds = (None, None) if seed is None else (seed, seed + 1)
        mean, log_variance = (
            keras.layers.Dense(
                latent_dim, kernel_initializer=init(start), name=name, dtype="float32"
            )
            for start, name in zip(seeds, ("mean", "log_variance"), strict=True)
        )
        return cls(mean, log_variance, seed)

    @property
    def latent_dim(self) -> int:
        """Width of the code."""
        return self.mean.units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the heads' weights."""
        for head in (self.mean, self.log_variance):
            if not head.built:  # one from a file is
                head.build(input_shape)
        super().build(input_shape)

    def call(
        self, hidden: Tensor, training: bool = False, noise: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Code of the encoder's output; `noise`, standard normal, takes the place of a draw."""
        mean, log_variance = self.distribution(hidden)
        kl = {"kl": ops.mean(divergence(mean, log_variance), axis=-1)}
        if noise is None and training:
            noise = self._draw(ops.shape(mean))
        if noise is None:
            return mean, kl
        return mean + ops.exp(0.5 * log_variance) * ops.cast(noise, mean.dtype), kl

    def distribution(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, (..., latent) each."""
        return self.mean(hidden), ops.clip(self.log_variance(hidden), *_LOG_VARIANCES)

    def _draw(self, shape: Any) -> Tensor:
        seed = next_seed(self.seed_generator)
        # The generator that XLA left to choose would take is some ten times slower on CPUs.
        return tf.random.stateless_normal(shape, seed, alg="philox")

    def get_config(self) -> dict[str, Any]:
        """Keras configuration."""
        serialize = keras.saving.serialize_keras_object
        heads = {"mean": serialize(self.mean), "log_variance": serialize(self.log_variance)}
        return {**heads, "seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "GaussianCode":
        """Inverse of `get_config`."""
        heads = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("mean", "log_variance")
        }
        return cls(**{**config, **heads})


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of N(mean, variance) from N(0, 1), by dimension, in nats."""
    return 0.5 * (ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance)


@shared_class
@keras.saving.register_keras_serializable("aegmm_detect")
class QuantizedCode(Code):
    """The nearest of a few code vectors (VQ-VAE), which follow the codes that choose them.

    van den Oord, Vinyals and Kavukcuoglu (NeurIPS 2017), Neural discrete representation learning:
    straight-through gradients, eq. 3's commitment, and appendix A.1's moving averages in place of
    the codebook's loss. A code vector that hardly any row chooses is put where a row of the batch
    is.

    extras: 'commitment', each row's mean squared distance from its code vector; 'perplexity',
    exp(entropy) of the batch's choices, from 1 to `n_codes`.

    Parameters
    ----------
    n_codes
        Vectors in the codebook.
    latent_dim
        Their width.
    members
        Codebooks, one for each net of an ensemble; None for a plain net.
    decay
        Of the moving averages. Default .99, the paper's.
    name
        Keras's name of the model.
    """

    def __init__(
        self,
        n_codes: int,
        latent_dim: int,
        members: int | None = None,
        decay: float = 0.99,
        name: str = "quantized_code",
    ) -> None:
        super().__init__(name=name, dtype="float32")
        self.n_codes = n_codes
        self.latent_dim = latent_dim
        self.members = members
        self.decay = decay

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the codebook and its averages; `start` sets them."""
        lead = () if self.members is None else (self.members,)

        def average(name: str, *shape: int) -> Any:
            return self.add_weight(
                shape=(*lead, *shape), initializer="zeros", trainable=False, name=name
            )

        self.codebook = average("codebook", self.n_codes, self.latent_dim)
        self.mass = average("mass", self.n_codes)
        self.total = average("total", self.n_codes, self.latent_dim)
        super().build(input_shape)

    def start(self, vectors: FloatArray) -> None:
        """Put the codebook (..., n_codes, latent) where codes are; each counts as one row."""
        self.codebook.assign(vectors)
        self.mass.assign(ops.ones_like(self.mass))
        self.total.assign(vectors)

    def call(
        self, hidden: Tensor, training: bool = False, noise: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Code vectors of the encoder's output; nothing is drawn, so there is no `noise`."""
        hidden = ops.convert_to_tensor(hidden)
        fixed = ops.stop_gradient(hidden)
        chosen = ops.one_hot(self.nearest(fixed), self.n_codes, dtype=hidden.dtype)
        vectors = ops.matmul(chosen, ops.convert_to_tensor(self.codebook))
        share = ops.mean(chosen, axis=-2)
        extras = {
            "commitment": ops.mean(ops.square(hidden - vectors), axis=-1),
            "perplexity": ops.exp(-ops.sum(share * ops.log(share + _TINY), axis=-1)),
        }
        if training:
            self._follow(fixed, chosen)
        # The value is exactly the code vector, the gradient the encoder's.
        return ops.stop_gradient(vectors) + (hidden - fixed), extras

    def nearest(self, hidden: Tensor) -> Tensor:
        """Number of the nearest code vector, (..., N, latent) -> (..., N)."""
        codebook = ops.convert_to_tensor(self.codebook)
        # Without the row's own square, which is the same for all vectors.
        squares = ops.sum(ops.square(codebook), axis=-1)[..., None, :]
        products = ops.matmul(hidden, ops.swapaxes(codebook, -1, -2))
        return first_largest(2.0 * products - squares)

    def _follow(self, hidden: Tensor, chosen: Tensor) -> None:
        per_code = ops.swapaxes(chosen, -1, -2)
        mass = self._averaged(self.mass, ops.sum(per_code, axis=-1))
        total = self._averaged(self.total, ops.matmul(per_code, hidden))
        # The rows of a batch are in random order: its first ones are a sample.
        rows = ops.take(hidden, ops.arange(self.n_codes) % ops.shape(hidden)[-2], axis=-2)
        dead = (mass < _DEAD)[..., None]
        mass = ops.where(mass < _DEAD, 1.0, mass)
        total = ops.where(dead, rows, total)
        self.mass.assign(mass)
        self.total.assign(total)
        self.codebook.assign(total / mass[..., None])

    def _averaged(self, average: Any, value: Tensor) -> Tensor:
        return self.decay * ops.convert_to_tensor(average) + (1.0 - self.decay) * value

    def get_config(self) -> dict[str, Any]:
        """Keras configuration."""
        return {
            "n_codes": self.n_codes,
            "latent_dim": self.latent_dim,
            "members": self.members,
            "decay": self.decay,
            "name": self.name,
        }
