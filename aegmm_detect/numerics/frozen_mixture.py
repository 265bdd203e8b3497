"""Base of the mixtures that score: fixed after training, float64, in NumPy."""

import abc
import dataclasses
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from keras import ops

from aegmm_detect.exceptions import IndefiniteCovarianceError
from aegmm_detect.numerics.memberships import effective_components
from aegmm_detect.types import FloatArray, Tensor

# Numbers of an intermediate array (rows x components x features) at a time: 16 MB.
_CHUNK = 2_097_152
# Weights are float64, or come from float32.
_SUM_TO_ONE = 1e-3


class FrozenMixture(abc.ABC):
    """Base of frozen dataclasses whose fields are arrays. The arrays become read-only."""

    phi: FloatArray  # (K,)       weights, sum to 1
    mu: FloatArray  # (K, D)

    def __post_init__(self) -> None:
        for name in self.names():
            array = np.array(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, read_only(array))

    def __reduce__(self) -> tuple[type[Self], tuple[FloatArray, ...]]:
        # Through the constructor, so that the arrays of copies are read-only, too.
        return type(self), tuple(getattr(self, name) for name in self.names())

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the arrays, in order."""
        return tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]

    @staticmethod
    @abc.abstractmethod
    def shapes(n_components: int, n_dim: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays, by name."""

    def problem(self) -> str | None:
        """Why these parameters are not a density; None if they are.

        All of them are finite and have the right shapes.
        """
        if (self.phi < 0.0).any() or abs(self.phi.sum() - 1.0) > _SUM_TO_ONE:
            return "phi holds no weights that sum to 1"
        return self._problem()

    @abc.abstractmethod
    def _problem(self) -> str | None: ...

    @abc.abstractmethod
    def as_float32(self) -> Any:
        """Parameters for scoring in float32, rounded once, after all float64 work."""

    @abc.abstractmethod
    def moved(self, centre: FloatArray, scale: FloatArray) -> Self:
        """The mixture of z * scale + centre, where both are (D,)."""

    @abc.abstractmethod
    def _energy(self, z: Tensor) -> Tensor: ...

    @classmethod
    def of_params(cls, params: Any) -> Self:
        """Make a mixture of parameters in the order of the fields.

        Raises
        ------
        IndefiniteCovarianceError
            If a parameter is not finite.
        """
        arrays = [ops.convert_to_numpy(value) for value in params]
        if not all(np.isfinite(array).all() for array in arrays):
            raise IndefiniteCovarianceError(
                "The mixture of these rows is not finite: their values are too large for a density."
            )
        return cls(*arrays)

    @property
    def n_dim(self) -> int:
        """Number of features D of the rows."""
        return self.mu.shape[1]

    @property
    def effective_components(self) -> float:
        """Number of components that the training rows really use: exp(entropy of phi)."""
        return float(ops.convert_to_numpy(effective_components(self.phi)))

    def energy(self, z: FloatArray) -> FloatArray:
        """Energies of `z` (N, D) in float64, (N,)."""
        return np.concatenate([ops.convert_to_numpy(self._energy(p)) for p in self._chunks(z)])

    def _chunks(self, z: FloatArray) -> Iterator[Tensor]:
        size = max(1, _CHUNK // self.mu.size)
        for start in range(0, max(len(z), 1), size):
            yield ops.convert_to_tensor(z[start : start + size], dtype="float64")


def read_only(array: FloatArray) -> FloatArray:
    """Make `array` read-only, and return it."""
    array.flags.writeable = False
    return array


def in_double(moments: Any) -> Any:
    """Moments of any kind as float64 tensors."""
    return type(moments)(*(ops.convert_to_tensor(part, dtype="float64") for part in moments))
