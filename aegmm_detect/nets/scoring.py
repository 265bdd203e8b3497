"""Scores as a pure function: scale, nets, features, energies, one score of them.

What a score is made of (`ScoreFunction`) and the numbers that go into it (`ScoreParameters`) are
apart, so that one compiled program serves all detectors of a structure.
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
    """The numbers of a score; float32 unless said otherwise, rounded after all float64 work."""

    scaling: tuple[FloatArray, FloatArray] | None  # offset and scale of a row, float64
    members: tuple[tuple[Any, ...], ...]  # mixtures of each net
    centre: FloatArray  # (M,)  of each mixture's energy
    spread: FloatArray  # (M,)
    projection: tuple[FloatArray, FloatArray] | None  # mean (F,), axes (F, Q)
    scales: Any  # `ScoreScales`; None where they are not known
    draws: FloatArray | None  # (S, latent)  of a code that is drawn

    @classmethod
    def of(
        cls,
        density: Density,
        normalizer: Normalizer | None,
        scales: ScoreScales | None,
        draws: FloatArray | None,
    ) -> "ScoreParameters":
        """Of what a fit has left."""
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
    """Raw rows (N, ...) -> scores (N,) float32, by a net and parameters.

    A row with NaN or infinity scores NaN; every other row gets a number, so NaN means just that.
    Equal ones compute the same.

    Parameters
    ----------
    kind
        What the score is made of, a name in `SCORES`.
    family
        Of the mixtures.
    limit
        See `combine`.
    squash
        Of the scaling.
    operations
        Of the runtime.
    """

    kind: str
    family: Family
    limit: float | None = None
    squash: bool = False
    operations: Operations = TENSORFLOW

    def __call__(self, net: keras.Model, p: ScoreParameters, x: Tensor, /) -> Tensor:
        """Scores of raw rows, float64 where they are scaled, else float32."""
        scores = self.of_prepared(net, p, self.prepared(p, x))
        return numbers_for_finite_rows(scores, x, self.operations)

    def prepared(self, p: ScoreParameters, x: Tensor) -> Tensor:
        """Raw rows as the nets take them."""
        return x if p.scaling is None else self.operations.scaled(x, *p.scaling, self.squash)

    def of_prepared(self, net: keras.Model, p: ScoreParameters, rows: Tensor) -> Tensor:
        """Scores (N,) of prepared rows, finite or not."""
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
        """What the mixtures are over: prepared rows (N, ...) -> (N, D) float32 for each member."""
        return _seen(p, rows, net(rows, training=False)[1])

    def energy(self, p: ScoreParameters, rows: Tensor, z: Tensor) -> Tensor:
        """Energy (N,) of prepared rows and their z, of all mixtures together."""
        energies = [
            self.family.energy(columns[:, : mixture.mu.shape[1]], mixture)
            for columns, own in zip(_seen(p, rows, z), p.members, strict=True)
            for mixture in own
        ]
        # Of a single mixture this is its energy: centre 0, spread 1.
        return combine(ops.stack(energies), p.centre, p.spread, self.limit, self.operations.arcsinh)


class Score(NamedTuple):
    """What a score can be made of.

    Parameters
    ----------
    value
        Function of (score function, net, parameters, prepared rows, draw) -> (N,).
    part
        Which of `ScoreScales.parts` says where these scores lie over training rows; None for those
        that are on that scale already.
    compares
        Whether it needs these scales.
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
    """First a member's z, then the principal components, where there are any.

    A mixture of fewer dimensions sees the first of these.
    """
    z = ops.cast(z, "float32")
    seen = [z] if len(z.shape) == 2 else [z[m] for m in range(z.shape[0])]
    if p.projection is None:
        return seen
    mean, axes = p.projection
    flat = ops.reshape(rows, (-1, mean.shape[0]))
    behind = ops.matmul(ops.cast(flat, "float32") - mean, axes)
    return [ops.concatenate([own, behind], axis=-1) for own in seen]
