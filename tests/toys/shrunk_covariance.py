"""A wrapped estimator of scikit-learn: Mahalanobis distance by a shrunk covariance."""

import numpy as np
from sklearn.covariance import LedoitWolf

from aegmm_detect.detector.arrays import ArrayDetector


class ShrunkCovariance(ArrayDetector):
    """Scores by the squared Mahalanobis distance of scikit-learn's `LedoitWolf`."""

    MOST_ROWS = 20_000

    def learn(self, rows, seed):
        fitted = LedoitWolf().fit(rows.astype(np.float64))
        return {"mean": fitted.location_, "precision": fitted.precision_}

    def scorer(self, arrays):
        mean, precision = arrays["mean"], arrays["precision"]

        def score(rows):
            offset = rows.astype(np.float64) - mean
            return np.einsum("nd,de,ne->n", offset, precision, offset)

        return score
