"""What scores rows after training: the mixtures of all members, and how their energies combine."""

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
    """Where several quantities lie and how far they spread, so that they can be compared."""

    centre: FloatArray  # (M,)
    spread: FloatArray  # (M,)

    @classmethod
    def robust(cls, values: FloatArray) -> Self:
        """Median and interquartile range of each row of `values` (M, N)."""
        lower, centre, upper = np.percentile(values, [25.0, 50.0, 75.0], axis=1)
        # Rows that are all alike have no spread; any other number serves as well. What is scored
        # comes from nets, in float32.
        return cls(centre, divisor(upper - lower, centre, rounding(np.float32)))


class ScoreScales(NamedTuple):
    """What makes scores of other parts than the energy; of training rows."""

    residual: Scale  # of each net's reconstruction error, (M,)
    parts: Scale  # of the energy and of the error, as they score alone, (2,)


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
    """One score of several energies: their robustly scaled mean, put back on their mean scale.

    Energies differ in where they lie and how far they spread. Each is centred and divided by its
    own spread, so that none outvotes the others. Far out, an energy grows with the square of the
    distance: beyond `limit` spreads it counts logarithmically, or the one mixture that a row fits
    worst would decide alone. The order of rows under a single energy never changes.

    Parameters
    ----------
    energies
        One row of N for each of M mixtures, (M, N).
    centre, spread
        Of each energy, (M,).
    limit
        In spreads; None for no limit.
    arcsinh
        Inverse hyperbolic sine; another where a graph is exported to runtimes that have none.

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
    """Mixtures, and what `combine` needs to make one score of their energies.

    Parameters
    ----------
    members
        Of each net in turn, the same number of mixtures. They are over its z and, behind that, the
        components of `projection`; a mixture of fewer dimensions sees the first of these.
    centre, spread
        Of each mixture's energy, one after the other, (M,).
    limit
        See `combine`.
    projection
        What is put behind z; None for nothing.
    """

    members: tuple[tuple[FrozenMixture, ...], ...]
    centre: FloatArray
    spread: FloatArray
    limit: float | None = None
    projection: Projection | None = None

    @property
    def mixtures(self) -> tuple[FrozenMixture, ...]:
        """All of them, member by member."""
        return tuple(mixture for own in self.members for mixture in own)

    @property
    def family(self) -> Family:
        """The kind that all of them are of."""
        return family_of(self.members[0][0])

    @classmethod
    def of_one(cls, mixture: FrozenMixture, projection: Projection | None = None) -> "Density":
        """Of a single mixture, whose energy is the score."""
        return cls(((mixture,),), np.zeros(1), np.ones(1), None, projection)

    @classmethod
    def of_all(
        cls,
        members: tuple[tuple[FrozenMixture, ...], ...],
        energies: FloatArray,
        limit: float | None = None,
        projection: Projection | None = None,
    ) -> "Density":
        """Of several: centre and spread are median and interquartile range.

        A single mixture scores by its energy, which needs no limit.

        Parameters
        ----------
        members, limit, projection
            See the class.
        energies
            Of training rows, one row of N for each mixture.
        """
        if len(energies) == 1:
            return cls.of_one(members[0][0], projection)
        return cls(members, *Scale.robust(energies), limit, projection)
