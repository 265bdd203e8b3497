"""The Laplacian mixture that scoring uses: fixed after training, float64, in NumPy."""

import dataclasses
from typing import Self

from aegmm_detect.numerics import laplace
from aegmm_detect.numerics.frozen_mixture import FrozenMixture, in_double
from aegmm_detect.numerics.gmm import DEFAULT_REG
from aegmm_detect.types import FloatArray, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class ScoringLaplacian(FrozenMixture):
    """Parameters of the density that scores rows, as read-only arrays.

    It can have more components than the density net.
    """

    phi: FloatArray  # (K,)       weights, sum to 1
    mu: FloatArray  # (K, D)
    scale: FloatArray  # (K, D)  mean absolute deviations, with their floor

    @classmethod
    def from_moments(cls, moments: laplace.Moments, reg: float = DEFAULT_REG) -> "ScoringLaplacian":
        """Parameters from the absolute moments of the whole training set, in float64.

        Raises
        ------
        IndefiniteCovarianceError
            If a parameter is not finite.
        """
        return cls.of_params(laplace.mixture(in_double(moments), reg))

    @staticmethod
    def shapes(n_components: int, n_dim: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays, by name."""
        k, d = n_components, n_dim
        return {"phi": (k,), "mu": (k, d), "scale": (k, d)}

    def as_float32(self) -> laplace.LaplacianMixture:
        """Parameters for scoring in float32, rounded once, after all float64 work."""
        return laplace.LaplacianMixture(*(array.astype("float32") for array in self._params))

    def moved(self, centre: FloatArray, scale: FloatArray) -> Self:
        """The mixture of z * scale + centre, where both are (D,)."""
        return type(self)(self.phi, self.mu * scale + centre, self.scale * scale)

    def _problem(self) -> str | None:
        return None if (self.scale > 0.0).all() else "scale holds deviations that are not positive"

    def _energy(self, z: Tensor) -> Tensor:
        return laplace.energy(z, self._params)

    @property
    def _params(self) -> laplace.LaplacianMixture:
        return laplace.LaplacianMixture(self.phi, self.mu, self.scale)
