"""Simple detectors that a deep one has to beat, with settings fixed once for all data sets.

None is tuned per data set: a sweep judged by test labels flatters by a point or two of F1. Each
learns its scaling from its training rows. Scores are float64 (N,), higher is stranger.
"""

import functools
import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits

from aegmm_detect.evaluation.contenders import Factory
from aegmm_detect.registry import ENTRIES, Entry
from aegmm_detect.types import Array, FloatArray


def _build(entry: Entry, n_features: int, seed: int) -> Any:
    return entry.build(n_features, seed=seed)


class NearestNeighbour:
    """Euclidean distance to the nearest training row, standardised.

    Training rows score 0, so a threshold must not be learned from them alone.

    Parameters
    ----------
    seed
        Draws rows where there are more than `max_rows`.
    max_rows
        Most distinct training rows to compare with.
    """

    def __init__(self, seed: int, max_rows: int = 20_000) -> None:
        self._seed, self._max_rows = seed, max_rows

    @classmethod
    def of_width(cls, n_features: int, seed: int) -> Self:
        """As a benchmark makes it."""
        return cls(seed)

    def fit(self, X: Array) -> None:
        """Keep distinct rows of (N, F)."""
        X = np.asarray(X, dtype=np.float64)
        self._scaler = StandardScaler().fit(X)
        # Sorted, so that which ones are drawn does not depend on the order of rows.
        rows = np.unique(X, axis=0)
        if len(rows) > self._max_rows:
            rng = np.random.default_rng(self._seed)
            rows = rows[rng.choice(len(rows), self._max_rows, replace=False)]
        self._index = NearestNeighbors(n_neighbors=1).fit(self._scaler.transform(rows))

    def score(self, X: Array) -> FloatArray:
        """Distances (N,)."""
        rows = self._scaler.transform(np.asarray(X, dtype=np.float64))
        return self._index.kneighbors(rows)[0][:, 0]

    def describe(self) -> dict[str, Any]:
        """Settings."""
        return {"class": type(self).__name__, "max_rows": self._max_rows}


class Mahalanobis:
    """Squared Mahalanobis distance from the training mean, standardised.

    The covariance is shrunk (Ledoit and Wolf, 2004), as it is singular where there are fewer rows
    than columns or columns that never change.
    """

    @classmethod
    def of_width(cls, n_features: int, seed: int) -> Self:
        """As a benchmark makes it."""
        return cls()

    def fit(self, X: Array) -> None:
        """Learn mean and covariance of rows (N, F)."""
        self._scaler = StandardScaler().fit(np.asarray(X, dtype=np.float64))
        self._covariance = LedoitWolf().fit(self._scaler.transform(X))

    def score(self, X: Array) -> FloatArray:
        """Squared distances (N,)."""
        return self._covariance.mahalanobis(self._scaler.transform(np.asarray(X, np.float64)))

    def describe(self) -> dict[str, Any]:
        """Settings."""
        return {"class": type(self).__name__, "covariance": "Ledoit-Wolf"}


class PrincipalMixture:
    """Energy under a Gaussian mixture of principal components and the log of what they leave out.

    The plain relative of a DAGMM: a linear code, the log residual as the feature of the
    reconstruction, full covariances fitted by EM.

    Parameters
    ----------
    seed
        Of the mixture's k-means start.
    n_code
        Principal components; at most F - 1, so that something is left out, and N - 1.
    n_gmm
        Mixture components; fewer where each would have less than ten rows per dimension.
    """

    def __init__(self, seed: int, n_code: int = 15, n_gmm: int = 16) -> None:
        self._seed, self._n_code, self._n_gmm = seed, n_code, n_gmm

    @classmethod
    def of_width(cls, n_features: int, seed: int) -> Self:
        """As a benchmark makes it."""
        return cls(seed)

    def fit(self, X: Array) -> None:
        """Learn from rows (N, F)."""
        X = np.asarray(X, dtype=np.float64)
        n_rows, n_features = X.shape
        n_code = max(1, min(self._n_code, n_features - 1, n_rows - 1))
        # The exact solver: randomised ones differ from run to run.
        self._project = make_pipeline(StandardScaler(), PCA(n_code, svd_solver="full")).fit(X)
        # Rows that lie in the components' plane would have a log residual of minus infinity, or
        # one of rounding errors: nothing counts that is below a millionth of the usual one.
        self._floor = 1e-6 * float(self._residual(X).mean()) + 1e-12
        z = self._features(X)
        self._scaler = StandardScaler().fit(z)
        n_gmm = max(1, min(self._n_gmm, n_rows // (10 * z.shape[1])))
        # The features have unit variance: 1e-4 is 1 % of a standard deviation.
        self._mixture = GaussianMixture(
            n_gmm, reg_covar=1e-4, max_iter=200, random_state=self._seed
        )
        # The matrices are small: more threads than one would mostly wait for each other.
        with threadpool_limits(1), warnings.catch_warnings():
            # Where EM stops is a density, too.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._mixture.fit(self._scaler.transform(z))

    def score(self, X: Array) -> FloatArray:
        """Energies (N,), in nats."""
        z = self._features(np.asarray(X, dtype=np.float64))
        return -self._mixture.score_samples(self._scaler.transform(z))

    def describe(self) -> dict[str, Any]:
        """Settings."""
        return {"class": type(self).__name__, "n_code": self._n_code, "n_gmm": self._n_gmm}

    def _residual(self, X: FloatArray) -> FloatArray:
        scaler, pca = self._project[0], self._project[1]
        rows = scaler.transform(X)
        return np.square(rows - pca.inverse_transform(pca.transform(rows))).sum(axis=1)

    def _features(self, X: FloatArray) -> FloatArray:
        log_residual = np.log(self._residual(X) + self._floor)
        return np.column_stack([self._project.transform(X), log_residual])


class RobustNorm:
    """Mean absolute deviation of a row's numbers from the training medians, in quartile ranges.

    A column whose quartiles coincide is left in its own units; deviations are clipped at 50, so
    that one column cannot decide alone.

    Parameters
    ----------
    p
        Of the norm. Default 1, the plain choice: other values were better on one data set and
        worse on the next.
    """

    def __init__(self, p: float = 1.0) -> None:
        self._p = p

    @classmethod
    def of_width(cls, n_features: int, seed: int) -> Self:
        """As a benchmark makes it."""
        return cls()

    def fit(self, X: Array) -> None:
        """Learn medians and quartiles of rows (N, F)."""
        self._scaler = RobustScaler().fit(np.asarray(X, dtype=np.float64))  # a range of 0 -> 1

    def score(self, X: Array) -> FloatArray:
        """Mean p-th power of the deviations, (N,)."""
        deviation = np.abs(self._scaler.transform(np.asarray(X, dtype=np.float64)))
        return np.mean(np.minimum(deviation, 50.0) ** self._p, axis=1)

    def describe(self) -> dict[str, Any]:
        """Settings."""
        return {"class": type(self).__name__, "p": self._p, "clip": 50.0}


class Forest:
    """IsolationForest (Liu et al., 2008) with more trees than usual, so that seeds matter less.

    Parameters
    ----------
    seed
        Of the trees.
    n_trees
        How many.
    """

    def __init__(self, seed: int, n_trees: int = 600) -> None:
        self._n_trees = n_trees
        self._forest = IsolationForest(n_estimators=n_trees, random_state=seed)

    @classmethod
    def of_width(cls, n_features: int, seed: int) -> Self:
        """As a benchmark makes it."""
        return cls(seed)

    def fit(self, X: Array) -> None:
        """Grow trees on rows (N, F)."""
        self._forest.fit(X)

    def score(self, X: Array) -> FloatArray:
        """Scores (N,), in (0, 1)."""
        return -self._forest.score_samples(X)

    def describe(self) -> dict[str, Any]:
        """Settings."""
        return {"class": type(self).__name__, "n_trees": self._n_trees}


# (n_features, seed) -> model, in the order of tables.
BASELINES: Mapping[str, Factory] = MappingProxyType(
    {
        name: functools.partial(_build, entry)
        for name, entry in ENTRIES.items()
        if entry.kind == "baseline"
    }
)
