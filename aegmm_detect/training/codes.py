"""What a kind of code needs from training rows before training, and reports after it."""

import keras
import numpy as np
from sklearn.cluster import KMeans

from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.codes import GaussianCode, divergence
from aegmm_detect.training.data import ArrayRows, StreamRows
from aegmm_detect.training.estimate import in_passes, sample_rows
from aegmm_detect.training.refit import repeatable_kmeans
from aegmm_detect.types import FloatArray

# Rows per vector of a codebook, for its start.
_ROWS_PER_CODE = 64
# Rows that are enough to see a collapse.
_LOOKED_AT = 2048


def first_codebook(
    encoder: keras.Model, rows: ArrayRows | StreamRows, n_codes: int, seed: int | None
) -> FloatArray:
    """Codebook (n_codes, latent): k-means of the codes of some rows. One for each member."""
    sample = sample_rows(rows, _ROWS_PER_CODE * n_codes, seed)
    codes = in_passes(lambda batch: encoder(batch, training=False), sample).astype(np.float64)
    with repeatable_kmeans():
        if codes.ndim == 2:
            return _centres(codes, n_codes, seed)
        return np.stack([_centres(own, n_codes, seed) for own in codes])


def _centres(codes: FloatArray, n_codes: int, seed: int | None) -> FloatArray:
    n_clusters = min(n_codes, len(np.unique(codes, axis=0)))
    found = KMeans(n_clusters, n_init=1, random_state=seed).fit(codes)
    # If there are fewer different codes, vectors repeat.
    return np.resize(found.cluster_centers_, (n_codes, codes.shape[1])).astype(np.float32)


def mean_divergence(net: AEGMM, rows: ArrayRows | StreamRows, seed: int | None) -> FloatArray:
    """Mean divergence of each dimension of a Gaussian code over a sample of rows, in nats."""
    code = net.code
    assert isinstance(code, GaussianCode)  # callers check this

    def of_rows(batch: FloatArray) -> FloatArray:
        return divergence(*code.distribution(net.encoder(batch, training=False)))

    return in_passes(of_rows, sample_rows(rows, _LOOKED_AT, seed)).mean(axis=-2)
