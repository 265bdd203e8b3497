"""The contender: the same mathematics as an eager Keras loop.

Same nets, features, loss and optimizer as the package's, written from the formulas of Zong et al.
(2018) with TensorFlow's own Cholesky and triangular solve: run eagerly, these few large operations
are quicker than the package's many small ones, which are there for the compiler to fuse.
"""

import math
from typing import Any

import keras
import tensorflow as tf

from aegmm_detect.numerics.scoring_mixture import ScoringMixture
from aegmm_detect.types import FloatArray, Tensor

W_ENERGY, W_COV_DIAG, REG = 0.1, 0.005, 1e-6


def recon_features(x: Tensor, x_recon: Tensor) -> Tensor:
    """Negative cosine and clipped relative distance, (N, 2)."""
    norm, norm_recon = tf.norm(x, axis=1), tf.norm(x_recon, axis=1)
    cosine = tf.reduce_sum(x * x_recon, axis=1) / (norm * norm_recon)
    relative = tf.norm(x - x_recon, axis=1) / tf.minimum(norm, norm_recon)
    return tf.stack([-cosine, tf.clip_by_value(relative, 0.0, 100.0)], axis=1)


def mixture(z: Tensor, gamma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights (K,), means (K, D) and covariances (K, D, D) of a batch."""
    mass = tf.reduce_sum(gamma, axis=0)
    mu = tf.matmul(gamma, z, transpose_a=True) / mass[:, None]
    centred = z[:, None, :] - mu
    cov = tf.einsum("nk,nkd,nke->kde", gamma, centred, centred) / mass[:, None, None]
    scale = tf.reduce_mean(tf.linalg.diag_part(cov), axis=-1)
    cov += REG * scale[:, None, None] * tf.eye(z.shape[-1])
    return mass / tf.reduce_sum(mass), mu, cov


def energy(z: Tensor, phi: Tensor, mu: Tensor, cov: Tensor) -> Tensor:
    """Negative log-density of each row, (N,)."""
    factor = tf.linalg.cholesky(cov)
    centred = tf.transpose(z)[None] - mu[:, :, None]  # (K, D, N)
    white = tf.linalg.triangular_solve(factor, centred)
    half_log_det = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(factor)), axis=-1)
    log_norm = tf.math.log(phi) - half_log_det - 0.5 * z.shape[-1] * math.log(2.0 * math.pi)
    log_prob = log_norm[:, None] - 0.5 * tf.reduce_sum(tf.square(white), axis=1)  # (K, N)
    return -tf.reduce_logsumexp(log_prob, axis=0)


def loss(x: Tensor, x_recon: Tensor, z: Tensor, gamma: Tensor) -> Tensor:
    """Reconstruction, energy and covariance penalty of a batch, a scalar."""
    phi, mu, cov = mixture(z, gamma)
    return (
        tf.reduce_mean(tf.square(x - x_recon))
        + W_ENERGY * tf.reduce_mean(energy(z, phi, mu, cov))
        + W_COV_DIAG * tf.reduce_sum(1.0 / tf.linalg.diag_part(cov))
    )


class EagerLoop:
    """Trains step by step over a shuffled and batched data set."""

    def __init__(self, nets: dict[str, Any], rows: FloatArray, batch_size: int) -> None:
        self._nets = nets
        self._weights = [w for net in nets.values() for w in net.trainable_variables]
        self._optimizer = keras.optimizers.Adam(1e-4)
        self._optimizer.build(self._weights)
        data = tf.data.Dataset.from_tensor_slices(rows).shuffle(len(rows)).repeat()
        self._batches = iter(data.batch(batch_size, drop_remainder=True))

    def run(self, n_steps: int) -> float:
        """Train for `n_steps`; the loss of the last."""
        for _ in range(n_steps):
            value = self._step(next(self._batches))
        return float(value)

    def _step(self, x: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            code = self._nets["encoder"](x, training=True)
            x_recon = self._nets["decoder"](code, training=True)
            z = tf.concat([code, recon_features(x, x_recon)], axis=1)
            gamma = self._nets["density"](z, training=True)
            value = loss(x, x_recon, z, gamma)
        self._optimizer.apply(tape.gradient(value, self._weights), self._weights)
        return value


class EagerScorer:
    """Scores the whole array in one pass; memberships, which scoring does not need, are left out.

    Parameters
    ----------
    encoder, decoder
        Trained nets.
    params
        Mixture of a fitted detector.
    """

    def __init__(self, encoder: Any, decoder: Any, params: ScoringMixture) -> None:
        self._encoder, self._decoder = encoder, decoder
        self._params = [tf.constant(v, tf.float32) for v in (params.phi, params.mu, params.cov)]

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Energies, (N,)."""
        x = tf.constant(rows)
        code = self._encoder(x, training=False)
        x_recon = self._decoder(code, training=False)
        z = tf.concat([code, recon_features(x, x_recon)], axis=1)
        return energy(z, *self._params).numpy()
