"""The Gaussian mixture that scoring uses: fixed after training, float64, in NumPy."""

import dataclasses
import functools
from typing import Self

import numpy as np

from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.frozen_mixture import FrozenMixture, in_double, read_only
from aegmm_detect.types import FloatArray, Tensor

# How far W cov W' may be from the unit matrix: rounding under a condition of 1e12 leaves 1e-4.
_WHITE = 1e-2


@dataclasses.dataclass(frozen=True, eq=False)
class ScoringMixture(FrozenMixture):
    """Parameters of the density that scores rows, as read-only arrays.

    It can have more components than the density net.
    """

    phi: FloatArray  # (K,)       weights, sum to 1
    mu: FloatArray  # (K, D)
    cov: FloatArray  # (K, D, D)  regularised
    W: FloatArray  # (K, D, D)  inverse of `L`

    @classmethod
    def from_moments(cls, moments: gmm.Moments, reg: float = gmm.DEFAULT_REG) -> "ScoringMixture":
        """Parameters from the moments of the whole training set, in float64.

        Raises
        ------
        IndefiniteCovarianceError
            If a parameter is not finite.
        """
        return cls.of_params(gmm.mixture(in_double(moments), reg))

    @staticmethod
    def shapes(n_components: int, n_dim: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays, by name."""
        k, d = n_components, n_dim
        return {"phi": (k,), "mu": (k, d), "cov": (k, d, d), "W": (k, d, d)}

    @functools.cached_property
    def L(self) -> FloatArray:
        """Cholesky factors of `cov`, (K, D, D)."""
        # The general inverse leaves rounding above the diagonal.
        return read_only(np.tril(np.linalg.inv(self.W)))

    @functools.cached_property
    def log_det_cov(self) -> FloatArray:
        """Log-determinants of `cov`, (K,)."""
        return read_only(-2.0 * np.log(np.diagonal(self.W, axis1=1, axis2=2)).sum(axis=-1))

    def moments(self, z: FloatArray) -> gmm.Moments:
        """Moments of `z` (N, D) under its posterior memberships, in float64."""
        parts = (
            gmm.moments(part, gmm.responsibilities(part, self._params)) for part in self._chunks(z)
        )
        return functools.reduce(gmm.merge, parts)

    @property
    def diagonal(self) -> bool:
        """Whether every covariance is diagonal."""
        return self._params.whiten.ndim == 2

    def as_float32(self) -> gmm.GaussianMixture:
        """Parameters for scoring in float32, rounded once, after all float64 work."""
        return gmm.GaussianMixture(*(array.astype("float32") for array in self._params))

    def moved(self, centre: FloatArray, scale: FloatArray) -> Self:
        """The mixture of z * scale + centre, where both are (D,)."""
        cov = self.cov * np.outer(scale, scale)
        return type(self)(self.phi, self.mu * scale + centre, cov, self.W / scale)

    def _problem(self) -> str | None:
        diagonal = np.diagonal(self.W, axis1=1, axis2=2)
        if np.triu(self.W, 1).any() or not (diagonal > 0.0).all():
            return "W holds no whitening matrices: lower triangles with a positive diagonal"
        with np.errstate(all="ignore"):  # numbers of any size, NaN where they overflow
            white = self.W @ self.cov @ self.W.swapaxes(1, 2)
        if not (np.abs(white - np.eye(self.n_dim)) <= _WHITE).all():
            return "cov and W contradict each other"
        return None

    def _energy(self, z: Tensor) -> Tensor:
        return gmm.energy(z, self._params)

    @functools.cached_property
    def _params(self) -> gmm.GaussianMixture:
        diagonal = np.diagonal(self.W, axis1=1, axis2=2)
        # D products in place of D x D.
        alone = np.count_nonzero(self.W) == np.count_nonzero(diagonal)
        return gmm.GaussianMixture(self.phi, self.mu, self.cov, diagonal if alone else self.W)
