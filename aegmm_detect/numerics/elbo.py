"""Evidence lower bound: Gaussian log-likelihood of a reconstruction, and its covariance.

Kingma and Welling (ICLR 2014), "Auto-encoding variational Bayes", eq. 10.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from keras import ops

from aegmm_detect.numerics import gmm
from aegmm_detect.types import FloatArray, Tensor

# Added to each variance, as a share of it, for float32. The variance of a constant column becomes
# this share of the mean variance.
_FLOOR = 1e-6


class ReconCovariance(NamedTuple):
    """Covariance of a row around its reconstruction.

    `diagonal` and `full` raise `numpy.linalg.LinAlgError` if their argument is not a covariance.
    """

    whiten: FloatArray  # a number, (F,), or (F, F) lower: whiten @ (x - x') has unit covariance
    log_det: float | FloatArray  # of the covariance, over all F features

    @classmethod
    def same(cls, deviation: float, n_features: int) -> "ReconCovariance":
        """Make one with the same standard deviation for every feature."""
        log_det = 2.0 * n_features * math.log(deviation)
        return cls(np.asarray(1.0 / deviation, dtype=np.float32), log_det)

    @classmethod
    def diagonal(cls, variances: FloatArray) -> "ReconCovariance":
        """Make one of a variance (F,) for each feature."""
        variances = _floored(np.asarray(variances, dtype=np.float64))
        whiten = 1.0 / np.sqrt(variances)
        return cls(whiten.astype(np.float32), float(np.log(variances).sum()))

    @classmethod
    def full(cls, covariance: FloatArray) -> "ReconCovariance":
        """Make one of a covariance (F, F)."""
        covariance = np.array(covariance, dtype=np.float64)
        if not np.allclose(covariance, covariance.T, rtol=1e-5, atol=0.0, equal_nan=True):
            # The Cholesky factor would not notice.
            raise np.linalg.LinAlgError("A covariance is symmetric")
        np.fill_diagonal(covariance, _floored(np.diagonal(covariance).copy()))
        factor = np.linalg.cholesky(covariance)
        log_det = float(2.0 * np.log(np.diagonal(factor)).sum())
        return cls(np.linalg.inv(factor).astype(np.float32), log_det)


def covariance_of(batches: Iterable[FloatArray]) -> FloatArray:
    """Covariance (F, F) of rows that come in batches (N, ...), in float64.

    It has 1e-6 of the mean variance added to the diagonal. Otherwise nearly constant columns would
    decide alone.
    """
    total: gmm.Moments | None = None
    for batch in batches:
        flat = ops.convert_to_tensor(batch.reshape(len(batch), -1), dtype="float64")
        moments = gmm.moments(flat, ops.ones((len(batch), 1), dtype="float64"))
        total = moments if total is None else gmm.merge(total, moments)
    assert total is not None  # there are always rows to train on
    covariance = ops.convert_to_numpy(total.scatter[0] / total.mass[0])
    variances = np.diagonal(covariance)
    return covariance + np.diag(np.full(len(variances), _FLOOR * variances.mean()))


def negative_log_likelihood(x: Tensor, x_recon: Tensor, covariance: ReconCovariance) -> Tensor:
    """-log N(x; x', covariance) of each row, (N, ...), (N, ...) -> (N, 1), in nats."""
    n_features = math.prod(x.shape[1:])
    residual = ops.reshape(x - x_recon, (-1, n_features))
    if len(covariance.whiten.shape) == 2:
        white = ops.matmul(residual, ops.transpose(covariance.whiten))
    else:
        white = residual * covariance.whiten
    constant = n_features * math.log(2.0 * math.pi) + covariance.log_det
    return 0.5 * (ops.sum(ops.square(white), axis=-1, keepdims=True) + constant)


def _floored(variances: FloatArray) -> FloatArray:
    if not (np.isfinite(variances).all() and (variances >= 0.0).all()):
        wrong = variances[~(variances >= 0.0) | ~np.isfinite(variances)].flat[0]
        raise np.linalg.LinAlgError(
            f"a variance is {wrong:g}, and variances are finite numbers that are 0 or more"
        )
    mean = variances.mean()
    floor = _FLOOR * (mean if mean > 0.0 else 1.0)
    return np.where(variances > 0.0, variances * (1.0 + _FLOOR), floor)
