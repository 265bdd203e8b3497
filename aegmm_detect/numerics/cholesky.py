"""Whitening matrices of covariances that may be singular: regularise, factor, invert.

Axes: K components, D features; further axes in front are kept. Functions are pure and
differentiable, and results have the dtype of the arguments. There is no NaN for a covariance that
is singular, or indefinite by rounding. TensorFlow's own Cholesky returns NaN for an indefinite
matrix, and raises no error.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from aegmm_detect.types import Tensor

# Above this size one library call beats the unrolled scalars (which XLA fuses into one kernel).
UNROLL_UP_TO = 8
# Variance of a component of identical rows. Its inverse and the square of its inverse (the penalty
# and its gradient) must both be finite in float32.
VARIANCE_FLOOR = 1e-12


def whitening(cov: Tensor, reg: float = 1e-6) -> tuple[Tensor, Tensor]:
    """Regularise `cov` (K, D, D) and invert its Cholesky factor.

    Parameters
    ----------
    cov
        Symmetric matrices, (K, D, D). Rounding may have made them slightly indefinite.
    reg
        Jitter for the diagonal, relative to each matrix's mean variance: one absolute number
        cannot fit both a code of variance 1e3 and a cosine of variance 1e-8.

    Returns
    -------
    cov
        The regularised matrices, (K, D, D): ``L @ L.T`` of the factor in use.
    whiten
        ``W = inv(L)``, lower triangular, (K, D, D).
    """
    if len(cov.shape) > 3:
        flat = whitening(ops.reshape(cov, (-1, *cov.shape[-2:])), reg)
        return ops.reshape(flat[0], cov.shape), ops.reshape(flat[1], cov.shape)
    n_dim = cov.shape[-1]
    eye = ops.eye(n_dim, dtype=cov.dtype)
    variances = ops.diagonal(cov, axis1=1, axis2=2)
    scale = ops.maximum(ops.mean(variances, axis=-1), VARIANCE_FLOOR)
    cov = cov + (reg * scale)[:, None, None] * eye
    # A feature that is constant in one component keeps a variance that can be inverted.
    floor = ops.maximum(VARIANCE_FLOOR - ops.diagonal(cov, axis1=1, axis2=2), 0.0)
    cov = cov + floor[:, :, None] * eye
    if n_dim <= UNROLL_UP_TO:
        added, whiten = _unrolled(cov, reg * scale)
    else:
        added, whiten = _escalated(cov, scale)
    cov = cov + ops.stop_gradient(added)[:, :, None] * eye
    return cov, _with_gradient(cov, ops.stop_gradient(whiten))


def _with_gradient(cov: Tensor, whiten: Tensor) -> Tensor:
    """`whiten`, with the derivative that it has as a function of `cov`.

    For W = inv(L), L L' = C:  dC = -W' sym(tril(dW W')) W with a halved diagonal, from the reverse
    mode of the Cholesky factor (Murray 2016, arXiv:1602.07527, eq. 8). Written out, three products
    of small matrices take the place of some forty kernels.
    """

    @ops.custom_gradient
    def attach(cov: Tensor, whiten: Tensor) -> Any:
        def gradient(*upstream: Tensor) -> tuple[Tensor, Tensor]:
            lower = ops.tril(ops.matmul(upstream[0], ops.transpose(whiten, (0, 2, 1))))
            halved = lower * (1.0 - 0.5 * ops.eye(whiten.shape[-1], dtype=whiten.dtype))
            inner = ops.matmul(ops.matmul(ops.transpose(whiten, (0, 2, 1)), halved), whiten)
            return -0.5 * (inner + ops.transpose(inner, (0, 2, 1))), ops.zeros_like(whiten)

        return whiten + 0.0 * cov, gradient

    return attach(cov, whiten)


def _unrolled(cov: Tensor, jitter: Tensor) -> tuple[Tensor, Tensor]:
    """Cholesky and inverse written out over D; a pivot lost to rounding is set to half of `jitter`.

    Raising pivot j by e is the same as adding e to cov[j, j] (Gill, Murray & Wright 1981, 4.4.2.2).

    Returns the additions to the diagonal, (K, D), and W.
    """
    n_dim = cov.shape[-1]
    # Half the jitter. In exact arithmetic, every pivot is at least the whole of it, so only
    # rounding errors can make it smaller.
    least = ops.maximum(0.5 * jitter, _tiny(cov.dtype))
    factor = [[cov[:, i, j] for j in range(i + 1)] for i in range(n_dim)]
    raised, inverse = [], []
    for j in range(n_dim):
        pivot = factor[j][j]
        for m in range(j):
            pivot = pivot - factor[j][m] * factor[j][m]
        safe = ops.maximum(pivot, least)
        raised.append(safe - pivot)
        inverse.append(1.0 / ops.sqrt(safe))
        for i in range(j + 1, n_dim):
            below = factor[i][j]
            for m in range(j):
                below = below - factor[i][m] * factor[j][m]
            factor[i][j] = below * inverse[j]
    zero = ops.zeros_like(inverse[0])
    whiten = [[zero] * n_dim for _ in range(n_dim)]
    for j in range(n_dim):
        whiten[j][j] = inverse[j]
        for i in range(j + 1, n_dim):
            dot = zero
            for m in range(j, i):
                dot = dot + factor[i][m] * whiten[m][j]
            whiten[i][j] = -dot * inverse[i]
    rows = [ops.stack(row, axis=-1) for row in whiten]
    return ops.stack(raised, axis=-1), ops.stack(rows, axis=1)


def _escalated(cov: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Library Cholesky with the least of 0, 1e-5 .. 1 times `scale` (K,) that makes it succeed.

    TensorFlow's own Cholesky, because `ops.cholesky` raises where this one returns NaN.

    Returns the additions to the diagonal, (K, D), and W.
    """
    eye = ops.eye(cov.shape[-1], dtype=cov.dtype)
    chosen = scale  # the last resort: as much jitter as variance
    for step in (1e-1, 1e-3, 1e-5, 0.0):
        factor = tf.linalg.cholesky(cov + (step * scale)[:, None, None] * eye)
        usable = ops.all(ops.isfinite(ops.diagonal(factor, axis1=1, axis2=2)), axis=-1)
        chosen = ops.where(usable, step * scale, chosen)
    factor = tf.linalg.cholesky(cov + chosen[:, None, None] * eye)
    whiten = ops.solve_triangular(factor, ops.broadcast_to(eye, cov.shape), lower=True)
    return ops.broadcast_to(chosen[:, None], cov.shape[:2]), whiten


def _tiny(dtype: str) -> float:
    return 1e-30 if keras.backend.standardize_dtype(dtype) == "float32" else 1e-280
