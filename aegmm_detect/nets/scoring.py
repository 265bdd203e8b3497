"""Scores as a pure function: scaling, nets, features, energies, score.

The computation (`ScoreFunction`) is separate from its numbers (`ScoreParameters`), so that all
detectors with the same structure share one compiled program.
"""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
from keras import ops

from aegmm_detect.nets.aegmm import forward_pass
from aegmm_detect.nets.graph import TENSORFLOW, Operations, numbers_for_finite_rows
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.numerics.density import Density, ScoreScales, combine
from aegmm_detect.numerics.families import Family
from aegmm_detect.numerics.features import euclidean, per_member
from aegmm_detect.types import FloatArray, Tensor


class ScoreParameters(NamedTuple):
    """The numbers of a score, computed in float64 and rounded to float32 unless noted."""

    scaling: tuple[FloatArray, FloatArray] | None  # offset and scale of a row, float64
    members: tuple[tuple[Any, ...], ...]  # mixtures of each net
    centre: FloatArray  # (M,)  centre of each mixture's energy
    spread: FloatArray  # (M,)  spread of each mixture's energy
    projection: tuple[FloatArray, FloatArray] | None  # mean (F,), axes (F, Q)
    scales: Any  # `ScoreScales`; None if they are not known
    draws: FloatArray | None  # (S, latent)  fixed noise for a variational code; None: use the mean

    @classmethod
    def of(
        cls,
        density: Density,
        normalizer: Normalizer | None,
        scales: ScoreScales | None,
        draws: FloatArray | None,
    ) -> "ScoreParameters":
        """Make the parameters from the results of a fit."""
        projection = density.projection
        return cls(
            None if normalizer is None else (normalizer.offset, normalizer.scale),
            tuple(tuple(mixture.as_float32() for mixture in own) for own in density.members),
            density.centre.astype("float32"),
            density.spread.astype("float32"),
            None
            if projection is None
            else (projection.mean.astype("float32"), projection.axes.astype("float32")),
            scales and tuple(tuple(v.astype("float32") for v in scale) for scale in scales),
            None if draws is None else draws.astype("float32"),
        )


@dataclasses.dataclass(frozen=True)
class ScoreFunction:
    """Function of a net, parameters and raw rows (N, ...) that returns scores (N,) float32.

    A row with NaN or infinity scores NaN; every other row scores a number. Two functions that are
    equal compute the same.

    Parameters
    ----------
    kind
        Kind of score, a key of `SCORES`.
    family
        Kind of the mixtures.
    limit
        See `combine`.
    squash
        Whether the scaling squashes; see `Normalizer`.
    operations
        Operations of the runtime.
    """

    kind: str
    family: Family
    limit: float | None = None
    squash: bool = False
    operations: Operations = TENSORFLOW

    def __call__(self, net: keras.Model, p: ScoreParameters, x: Tensor, /) -> Tensor:
        """Scores of raw rows `x`, which are float64 if they are scaled, else float32."""
        scores = self.of_prepared(net, p, self.prepared(p, x))
        return numbers_for_finite_rows(scores, x, self.operations)

    def prepared(self, p: ScoreParameters, x: Tensor) -> Tensor:
        """Scale raw rows for the nets."""
        return x if p.scaling is None else self.operations.scaled(x, *p.scaling, self.squash)

    def of_prepared(self, net: keras.Model, p: ScoreParameters, rows: Tensor) -> Tensor:
        """Scores (N,) of prepared rows. They can be infinite or NaN."""
        of_draw = SCORES[self.kind].value
        return _mean([of_draw(self, net, p, rows, draw) for draw in _draws(p)])

    def energy_and_errors(
        self, net: keras.Model, p: ScoreParameters, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Energy (N,) of prepared rows, and each net's reconstruction error, (M, N)."""
        each = [forward_pass(net, rows, False, draw) for draw in _draws(p)]
        energies = [self.energy(p, rows, out.z) for out in each]
        return _mean(energies), _mean([_errors(p, rows, out.x_recon) for out in each])

    def latent(self, net: keras.Model, p: ScoreParameters, rows: Tensor) -> list[Tensor]:
        """Vectors (N, D) float32 that each member's mixtures model, for prepared rows (N, ...)."""
        return _seen(p, rows, net(rows, training=False)[1])

    def energy(self, p: ScoreParameters, rows: Tensor, z: Tensor) -> Tensor:
        """Combined energy (N,) of all mixtures, for prepared rows and their z."""
        energies = [
            self.family.energy(columns[:, : mixture.mu.shape[1]], mixture)
            for columns, own in zip(_seen(p, rows, z), p.members, strict=True)
            for mixture in own
        ]
        # With a single mixture this is its energy, because centre is 0 and spread is 1.
        return combine(ops.stack(energies), p.centre, p.spread, self.limit, self.operations.arcsinh)


class Score(NamedTuple):
    """A kind of score.

    Parameters
    ----------
    value
        Function: (score function, net, parameters, prepared rows, draw) -> scores (N,).
    part
        Index into `ScoreScales.parts` of the median and spread of these scores over training rows;
        None if the score is on that scale already.
    compares
        Whether the score needs these scales.
    """

    value: Callable[..., Tensor]
    part: int | None
    compares: bool


def _by_energy(own: ScoreFunction, net: Any, p: ScoreParameters, rows: Tensor, draw: Any) -> Tensor:
    return own.energy(p, rows, forward_pass(net, rows, False, draw).z)


def _by_error(own: ScoreFunction, net: Any, p: ScoreParameters, rows: Tensor, draw: Any) -> Tensor:
    return _one_error(p, rows, forward_pass(net, rows, False, draw).x_recon)


def _by_both(own: ScoreFunction, net: Any, p: ScoreParameters, rows: Tensor, draw: Any) -> Tensor:
    out = forward_pass(net, rows, False, draw)
    both = ops.stack([own.energy(p, rows, out.z), _one_error(p, rows, out.x_recon)])
    centre, spread = p.scales[1]
    return ops.sum((both - centre[:, None]) / spread[:, None], axis=0)


SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "energy": Score(_by_energy, part=0, compares=False),
        "reconstruction": Score(_by_error, part=1, compares=True),
        "both": Score(_by_both, part=None, compares=True),
    }
)


def _draws(p: ScoreParameters) -> list[Tensor | None]:
    return [None] if p.draws is None else [p.draws[i] for i in range(p.draws.shape[0])]


def _mean(values: list[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else ops.mean(ops.stack(values), axis=0)


def _one_error(p: ScoreParameters, rows: Tensor, x_recon: Tensor) -> Tensor:
    centre, spread = p.scales[0]
    return combine(_errors(p, rows, x_recon), centre, spread, None)


def _errors(p: ScoreParameters, rows: Tensor, x_recon: Tensor) -> Tensor:
    x_recon = ops.cast(x_recon, "float32")
    errors = per_member(euclidean, ops.cast(rows, "float32"), x_recon)
    return ops.reshape(errors, (len(p.members), -1))


def _seen(p: ScoreParameters, rows: Tensor, z: Tensor) -> list[Tensor]:
    """Vectors that the mixtures model: each member's z, then the principal components, if any.

    A mixture with fewer dimensions uses the first columns.
    """
    z = ops.cast(z, "float32")
    seen = [z] if len(z.shape) == 2 else [z[m] for m in range(z.shape[0])]
    if p.projection is None:
        return seen
    mean, axes = p.projection
    flat = ops.reshape(rows, (-1, mean.shape[0]))
    behind = ops.matmul(ops.cast(flat, "float32") - mean, axes)
    return [ops.concatenate([own, behind], axis=-1) for own in seen]
