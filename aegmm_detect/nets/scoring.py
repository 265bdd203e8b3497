"""The whole scoring graph: scale, nets, features, energy."""

import keras
from keras import ops

from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.density import Density
from aegmm_detect.types import Tensor

# Score of rows whose energy is no number in float32: just under its largest number.
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
    """

    def __init__(self, normalizer: Normalizer | None, net: keras.Model, density: Density) -> None:
        super().__init__(name="scoring", autocast=False)
        self.normalizer = normalizer
        self.net = net
        self.mixtures = [mixture.as_float32() for mixture in density.mixtures]
        self.weights_of_mixtures = density.weights.astype("float32")
        self.offset = density.offset
        self.projection = None
        if density.projection is not None:
            mean, axes = density.projection.mean, density.projection.axes
            self.projection = (mean.astype("float32"), axes.astype("float32"))
        # One type for whatever a caller holds, so that it cannot change a score's last bit.
        self.row_dtype = "float32" if normalizer is None else "float64"

    def call(self, x: Tensor) -> Tensor:
        """Scores of raw rows of `row_dtype`, in nats."""
        finite = ops.all(ops.isfinite(ops.cast(x, "float32")), axis=tuple(range(1, len(x.shape))))
        rows = x if self.normalizer is None else self.normalizer(x)
        _, z, _ = self.net(rows, training=False)
        scores = self._scores(rows, ops.cast(z, "float32"))
        # Overflow on the way (a row 1e19 sigmas out) must not turn into NaN: it is an outlier.
        scores = ops.where(ops.isfinite(scores), scores, BEYOND)
        return ops.where(finite, scores, float("nan"))

    def _scores(self, rows: Tensor, z: Tensor) -> Tensor:
        parts = [z] if len(z.shape) == 2 else [z[m] for m in range(z.shape[0])]
        if self.projection is not None:
            mean, axes = self.projection
            flat = ops.reshape(rows, (-1, len(mean)))
            beside = ops.matmul(ops.cast(flat, "float32") - mean, axes)
            parts = [ops.concatenate([part, beside], axis=-1) for part in parts]
        if len(self.mixtures) == 1:
            return gmm.energy(parts[0], self.mixtures[0])
        per_part = len(self.mixtures) // len(parts)
        energies = [gmm.energy(parts[i // per_part], own) for i, own in enumerate(self.mixtures)]
        weighted = zip(self.weights_of_mixtures, energies, strict=True)
        return self.offset + sum(weight * energy for weight, energy in weighted)
