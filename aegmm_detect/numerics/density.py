"""The density that scores rows: the mixtures of all members, and how their energies combine."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
from keras import ops

from aegmm_detect.numerics.families import Family, family_of
from aegmm_detect.numerics.frozen_mixture import FrozenMixture
from aegmm_detect.numerics.spread import divisor, rounding
from aegmm_detect.types import FloatArray, Tensor


class Scale(NamedTuple):
    """Centre and spread of several quantities, to make them comparable."""

    centre: FloatArray  # (M,)
    spread: FloatArray  # (M,)

    @classmethod
    def robust(cls, values: FloatArray) -> Self:
        """Median and interquartile range of each row of `values` (M, N)."""
        lower, centre, upper = np.percentile(values, [25.0, 50.0, 75.0], axis=1)
        # If all rows are the same, they have no spread, and any positive number will do. The
        # values come from nets, in float32.
        return cls(centre, divisor(upper - lower, centre, rounding(np.float32)))


class ScoreScales(NamedTuple):
    """Scales of training rows, for scores that are not energies alone."""

    residual: Scale  # of each net's reconstruction error, (M,)
    parts: Scale  # of the energy and of the error, each as a score of its own, (2,)


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """Principal components of prepared rows: (x - mean) @ axes, (N, F) -> (N, Q)."""

    mean: FloatArray  # (F,)
    axes: FloatArray  # (F, Q)

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Components of a batch, in NumPy."""
        return (rows.reshape(len(rows), -1) - self.mean) @ self.axes


def combine(
    energies: Tensor,
    centre: FloatArray,
    spread: FloatArray,
    limit: float | None,
    arcsinh: Callable[[Tensor], Tensor] = ops.arcsinh,
) -> Tensor:
    """One score of several energies: the mean of scaled energies, put back on their mean scale.

    Energies have different centres and spreads. Each is centred and divided by its own spread, so
    that all count the same. Far out, an energy grows with the square of the distance, so the
    mixture that fits a row worst would decide alone. Therefore energies count logarithmically
    beyond `limit` spreads. The order of rows under a single energy never changes.

    Parameters
    ----------
    energies
        Energies of N rows under M mixtures, (M, N).
    centre, spread
        Centre and spread of each energy, (M,).
    limit
        In spreads; None for no limit.
    arcsinh
        Inverse hyperbolic sine. Exported graphs have another formula, for runtimes without it.

    Returns
    -------
    Scores (N,), in nats.
    """
    scaled = (energies - centre[:, None]) / spread[:, None]
    if limit is not None:
        scaled = limit * arcsinh(scaled / limit)
    return ops.mean(centre) + ops.mean(spread) * ops.mean(scaled, axis=0)


@dataclasses.dataclass(frozen=True, eq=False)
class Density:
    """Mixtures, and the parameters of `combine`, which makes one score of their energies.

    Parameters
    ----------
    members
        Mixtures of each net, the same number for each. They are over its z, followed by the
        components of `projection`. A mixture of fewer dimensions is over the first of these.
    centre, spread
        Centre and spread of each mixture's energy, member by member, (M,).
    limit
        See `combine`.
    projection
        Principal components that follow z; None for none.
    """

    members: tuple[tuple[FrozenMixture, ...], ...]
    centre: FloatArray
    spread: FloatArray
    limit: float | None = None
    projection: Projection | None = None

    @property
    def mixtures(self) -> tuple[FrozenMixture, ...]:
        """All mixtures, member by member."""
        return tuple(mixture for own in self.members for mixture in own)

    @property
    def family(self) -> Family:
        """The family of the mixtures."""
        return family_of(self.members[0][0])

    @classmethod
    def of_one(cls, mixture: FrozenMixture, projection: Projection | None = None) -> "Density":
        """Make a density of a single mixture, whose energy is the score."""
        return cls(((mixture,),), np.zeros(1), np.ones(1), None, projection)

    @classmethod
    def of_all(
        cls,
        members: tuple[tuple[FrozenMixture, ...], ...],
        energies: FloatArray,
        limit: float | None = None,
        projection: Projection | None = None,
    ) -> "Density":
        """Make a density of several mixtures, with medians and interquartile ranges for scales.

        If there is only one mixture, its energy is the score, without a limit.

        Parameters
        ----------
        members, limit, projection
            See the class.
        energies
            Energies of N training rows under each mixture, (M, N).
        """
        if len(energies) == 1:
            return cls.of_one(members[0][0], projection)
        return cls(members, *Scale.robust(energies), limit, projection)
