"""The mixture that scoring uses: fixed after training, float64, in NumPy."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
from keras import ops

from aegmm_detect.exceptions import IndefiniteCovarianceError
from aegmm_detect.numerics import gmm
from aegmm_detect.types import FloatArray, Tensor

# Numbers of an intermediate array (rows x components x features) at a time: 16 MB.
_CHUNK = 2_097_152


@dataclasses.dataclass(frozen=True, eq=False)
class ScoringMixture:
    """Owner of every parameter of the density that scores rows; arrays are read-only.

    It may have more components than the density net that started it.
    """

    phi: FloatArray  # (K,)       weights, sum to 1
    mu: FloatArray  # (K, D)
    cov: FloatArray  # (K, D, D)  regularised
    W: FloatArray  # (K, D, D)  inverse of `L`

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            array = np.array(getattr(self, field.name), dtype=np.float64)
            object.__setattr__(self, field.name, _read_only(array))

    def __reduce__(self) -> tuple[type["ScoringMixture"], tuple[FloatArray, ...]]:
        # Through the constructor, so that the arrays of copies are read-only, too.
        return type(self), (self.phi, self.mu, self.cov, self.W)

    @classmethod
    def from_moments(cls, moments: gmm.Moments, reg: float = gmm.DEFAULT_REG) -> "ScoringMixture":
        """Parameters from the moments of the whole training set, in float64.

        Raises
        ------
        IndefiniteCovarianceError
            If a parameter is not finite.
        """
        in_double = gmm.Moments(*(ops.convert_to_tensor(m, dtype="float64") for m in moments))
        params = gmm.mixture(in_double, reg)
        mixture = cls(*(ops.convert_to_numpy(value) for value in params))
        if not all(np.isfinite(value).all() for value in dataclasses.astuple(mixture)):
            raise IndefiniteCovarianceError(
                "The mixture of the training rows is not finite: the nets return values too large "
                "for a covariance. Train with normalize='standard', a lower learning rate or "
                "clip_norm=1.0."
            )
        return mixture

    @functools.cached_property
    def L(self) -> FloatArray:
        """Cholesky factors of `cov`, (K, D, D)."""
        # The general inverse leaves rounding above the diagonal.
        return _read_only(np.tril(np.linalg.inv(self.W)))

    @functools.cached_property
    def log_det_cov(self) -> FloatArray:
        """Log-determinants of `cov`, (K,)."""
        return _read_only(-2.0 * np.log(np.diagonal(self.W, axis1=1, axis2=2)).sum(axis=-1))

    @property
    def n_dim(self) -> int:
        """Width D of what it is a density of."""
        return self.mu.shape[1]

    def energy(self, z: FloatArray) -> FloatArray:
        """Energies of `z` (N, D) in float64, (N,)."""
        energies = (gmm.energy(part, self._params) for part in self._chunks(z))
        return np.concatenate([ops.convert_to_numpy(part) for part in energies])

    def moments(self, z: FloatArray) -> gmm.Moments:
        """Moments of `z` (N, D) under its posterior memberships, in float64."""
        parts = (
            gmm.moments(part, gmm.responsibilities(part, self._params)) for part in self._chunks(z)
        )
        return functools.reduce(gmm.merge, parts)

    def _chunks(self, z: FloatArray) -> Iterator[Tensor]:
        size = max(1, _CHUNK // self.mu.size)
        for start in range(0, max(len(z), 1), size):
            yield ops.convert_to_tensor(z[start : start + size], dtype="float64")

    @property
    def diagonal(self) -> bool:
        """Whether every covariance is."""
        return self._params.whiten.ndim == 2

    @property
    def effective_components(self) -> float:
        """exp(entropy of phi): how many components the training rows really use."""
        return float(ops.convert_to_numpy(gmm.effective_components(self.phi)))

    def as_float32(self) -> gmm.GaussianMixture:
        """Parameters for scoring in float32; rounded once, after all float64 work."""
        return gmm.GaussianMixture(*(array.astype("float32") for array in self._params))

    @functools.cached_property
    def _params(self) -> gmm.GaussianMixture:
        diagonal = np.diagonal(self.W, axis1=1, axis2=2)
        # D products in place of D x D.
        alone = np.count_nonzero(self.W) == np.count_nonzero(diagonal)
        return gmm.GaussianMixture(self.phi, self.mu, self.cov, diagonal if alone else self.W)


def _read_only(array: FloatArray) -> FloatArray:
    array.flags.writeable = False
    return array
