"""What kinds of code take from training rows before training, and what they show after it."""

import keras
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.codes import GaussianCode, divergence
from aegmm_detect.training.data import ArrayRows, StreamRows
from aegmm_detect.training.estimate import in_passes, sample_rows
from aegmm_detect.types import FloatArray

# Rows whose codes a codebook starts from, for each of its vectors.
_ROWS_PER_CODE = 64
# Rows that are enough to see a collapse.
_LOOKED_AT = 2048


def first_codebook(
    encoder: keras.Model, rows: ArrayRows | StreamRows, n_codes: int, seed: int | None
) -> FloatArray:
    """K-means of the codes of a sample of rows, (n_codes, latent), or one for each member."""
    sample = sample_rows(rows, _ROWS_PER_CODE * n_codes, seed)
    codes = in_passes(lambda batch: encoder(batch, training=False), sample).astype(np.float64)
    # With several threads, k-means would add up in another order each time.
    with threadpool_limits(1, user_api="openmp"):
        if codes.ndim == 2:
            return _centres(codes, n_codes, seed)
        return np.stack([_centres(own, n_codes, seed) for own in codes])


def _centres(codes: FloatArray, n_codes: int, seed: int | None) -> FloatArray:
    n_clusters = min(n_codes, len(np.unique(codes, axis=0)))
    found = KMeans(n_clusters, n_init=1, random_state=seed).fit(codes)
    # Where rows are fewer, vectors repeat.
    return np.resize(found.cluster_centers_, (n_codes, codes.shape[1])).astype(np.float32)


def mean_divergence(net: AEGMM, rows: ArrayRows | StreamRows, seed: int | None) -> FloatArray:
    """Divergence of each dimension of a Gaussian code, mean over a sample of rows, in nats."""
    code = net.code
    assert isinstance(code, GaussianCode)  # whoever asks has one

    def of_rows(batch: FloatArray) -> FloatArray:
        return divergence(*code.distribution(net.encoder(batch, training=False)))

    return in_passes(of_rows, sample_rows(rows, _LOOKED_AT, seed)).mean(axis=-2)
