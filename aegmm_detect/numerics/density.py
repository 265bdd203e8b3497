"""What scores rows after training: the mixtures of all members, and how their energies combine."""

import dataclasses

import numpy as np

from aegmm_detect.numerics.scoring_mixture import ScoringMixture
from aegmm_detect.types import FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """Principal components of prepared rows: (x - mean) @ axes, (N, F) -> (N, Q)."""

    mean: FloatArray  # (F,)
    axes: FloatArray  # (F, Q)

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Components of a batch, in NumPy."""
        return (rows.reshape(len(rows), -1) - self.mean) @ self.axes


@dataclasses.dataclass(frozen=True, eq=False)
class Density:
    """Score = `offset` + sum over mixtures of weight * energy.

    Parameters
    ----------
    mixtures
        Of each member in turn the same number, over its z and then the components of `projection`.
    weights
        One for each mixture.
    offset
        In nats.
    projection
        What is put beside z; None for nothing.
    """

    mixtures: tuple[ScoringMixture, ...]
    weights: FloatArray
    offset: float
    projection: Projection | None = None

    @classmethod
    def of_one(cls, mixture: ScoringMixture, projection: Projection | None = None) -> "Density":
        """Of a single member, whose energy is the score."""
        return cls((mixture,), np.ones(1), 0.0, projection)

    @classmethod
    def of_all(
        cls,
        mixtures: tuple[ScoringMixture, ...],
        energies: FloatArray,
        projection: Projection | None = None,
    ) -> "Density":
        """Mean of the mixtures' robustly scaled energies, put back on their mean scale.

        Mixtures differ in where their energies lie and how far they spread. Each is centred by its
        median and divided by its interquartile range, so that none outvotes the others; the mean
        is then multiplied and shifted by the averages of these, and is in nats again.

        Parameters
        ----------
        mixtures
            See the class.
        energies
            Of training rows, one row of N for each mixture.
        projection
            See the class.
        """
        if len(mixtures) == 1:
            return cls.of_one(mixtures[0], projection)
        centre = np.median(energies, axis=1)
        lower, upper = np.percentile(energies, [25.0, 75.0], axis=1)
        # Rows that are all alike have no spread; any other number serves as well.
        spread = np.where(upper > lower, upper - lower, 1.0)
        weights = spread.mean() / (len(mixtures) * spread)
        return cls(mixtures, weights, float(centre.mean() - weights @ centre), projection)
