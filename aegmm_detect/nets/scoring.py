"""The whole scoring graph: scale, nets, features, energy."""

from typing import Any

import keras
from keras import ops

from aegmm_detect.configs.aegmm import ScoreType
from aegmm_detect.nets.aegmm import forward_pass
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.numerics.density import Density, ScoreScales, combine
from aegmm_detect.numerics.features import euclidean, per_member
from aegmm_detect.types import FloatArray, Tensor

# Score of rows whose energy is not a number in float32: just under its largest number.
BEYOND = 3.4e38


class ScoringGraph(keras.layers.Layer):
    """Raw rows -> scores, (N, ...) -> (N,) float32.

    A row with NaN or infinity scores NaN; every other row gets a number, so NaN means just that.

    Parameters
    ----------
    normalizer
        Scaling of the rows, or None.
    net
        Prepared rows -> (x_recon, z, gamma).
    density
        Of z.
    score_type
        What the score is made of.
    scales
        Of the parts, for every `score_type` but 'energy'.
    noise
        Draws (S, latent) for a code that is drawn: the score is the mean over them, the same ones
        for every row. Default None: the code that the net has in inference.
    """

    # Exported graphs have others, for runtimes that lack these.
    isfinite = staticmethod(ops.isfinite)
    arcsinh = staticmethod(ops.arcsinh)

    def __init__(
        self,
        normalizer: Normalizer | None,
        net: keras.Model,
        density: Density,
        score_type: ScoreType = "energy",
        scales: ScoreScales | None = None,
        noise: FloatArray | None = None,
    ) -> None:
        super().__init__(name="scoring", autocast=False, dtype="float32")
        self.normalizer = normalizer
        self.net = net
        # Rounded once, after all float64 work. Tuples, which Keras does not treat as weights.
        self.members = tuple(tuple(m.as_float32() for m in own) for own in density.members)
        self.scaling = (density.centre.astype("float32"), density.spread.astype("float32"))
        self.energy_of = density.family.energy
        self.limit = density.limit
        self.score_type = score_type
        self.scales: Any = scales and tuple(
            tuple(values.astype("float32") for values in scale) for scale in scales
        )
        self.draws: Any = (None,) if noise is None else tuple(noise.astype("float32"))
        self.projection = None
        if density.projection is not None:
            mean, axes = density.projection.mean, density.projection.axes
            self.projection = (mean.astype("float32"), axes.astype("float32"))
        # One type for whatever a caller holds, so that it cannot change a score's last bit.
        self.row_dtype = "float32" if normalizer is None else "float64"

    def call(self, x: Tensor) -> Tensor:
        """Scores of raw rows of `row_dtype`."""
        finite = ops.all(self.isfinite(ops.cast(x, "float32")), axis=tuple(range(1, len(x.shape))))
        rows = x if self.normalizer is None else self.normalizer(x)
        scores = self.score(rows)
        # Overflow on the way (a row 1e19 sigmas out) must not turn into NaN: it is an outlier.
        scores = ops.where(self.isfinite(scores), scores, BEYOND)
        return ops.where(finite, scores, float("nan"))

    def score(self, rows: Tensor) -> Tensor:
        """Scores (N,) of prepared rows, finite or not."""
        each = [self._score(rows, draw) for draw in self.draws]
        return each[0] if len(each) == 1 else ops.mean(ops.stack(each), axis=0)

    def _score(self, rows: Tensor, draw: Tensor | None) -> Tensor:
        out = forward_pass(self.net, rows, False, draw)
        x_recon, z = out.x_recon, out.z
        if self.score_type == "energy":
            return self._energy(rows, ops.cast(z, "float32"))
        residual, parts = self.scales
        error = combine(self._errors(rows, x_recon), residual[0], residual[1], None)
        if self.score_type == "reconstruction":
            return error
        both = ops.stack([self._energy(rows, ops.cast(z, "float32")), error])
        centre, spread = parts
        return ops.sum((both - centre[:, None]) / spread[:, None], axis=0)

    def parts(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Energy (N,) of prepared rows, and each net's reconstruction error, (M, N)."""
        energies, errors = [], []
        for draw in self.draws:
            out = forward_pass(self.net, rows, False, draw)
            energies.append(self._energy(rows, ops.cast(out.z, "float32")))
            errors.append(self._errors(rows, out.x_recon))
        if len(self.draws) == 1:
            return energies[0], errors[0]
        return ops.mean(ops.stack(energies), axis=0), ops.mean(ops.stack(errors), axis=0)

    def _errors(self, rows: Tensor, x_recon: Tensor) -> Tensor:
        x_recon = ops.cast(x_recon, "float32")
        errors = per_member(euclidean, ops.cast(rows, "float32"), x_recon)
        return ops.reshape(errors, (len(self.members), -1))

    def latent(self, x: Tensor) -> list[Tensor]:
        """What the mixtures are over: raw rows (N, ...) -> (N, D) float32 for each member."""
        return self.seen(x if self.normalizer is None else self.normalizer(x))

    def seen(self, rows: Tensor) -> list[Tensor]:
        """The same of prepared rows.

        First a member's z, then the principal components, where there are any. A mixture of fewer
        dimensions sees the first of these.
        """
        return self._seen(rows, ops.cast(self.net(rows, training=False)[1], "float32"))

    def _seen(self, rows: Tensor, z: Tensor) -> list[Tensor]:
        seen = [z] if len(z.shape) == 2 else [z[m] for m in range(z.shape[0])]
        if self.projection is None:
            return seen
        mean, axes = self.projection
        flat = ops.reshape(rows, (-1, len(mean)))
        behind = ops.matmul(ops.cast(flat, "float32") - mean, axes)
        return [ops.concatenate([own, behind], axis=-1) for own in seen]

    def _energy(self, rows: Tensor, z: Tensor) -> Tensor:
        energies = [
            self.energy_of(columns[:, : mixture.mu.shape[1]], mixture)
            for columns, own in zip(self._seen(rows, z), self.members, strict=True)
            for mixture in own
        ]
        # Of a single mixture this is its energy: centre 0, spread 1.
        return combine(ops.stack(energies), *self.scaling, self.limit, self.arcsinh)
