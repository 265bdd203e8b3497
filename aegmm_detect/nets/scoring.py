"""The whole scoring graph: scale, nets, features, energy."""

import keras
from keras import ops

from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.density import Density, combine
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
        # Rounded once, after all float64 work. Tuples, which Keras does not take for weights.
        self.members = tuple(tuple(m.as_float32() for m in own) for own in density.members)
        self.scaling = (density.centre.astype("float32"), density.spread.astype("float32"))
        self.limit = density.limit
        self.projection = None
        if density.projection is not None:
            mean, axes = density.projection.mean, density.projection.axes
            self.projection = (mean.astype("float32"), axes.astype("float32"))
        # One type for whatever a caller holds, so that it cannot change a score's last bit.
        self.row_dtype = "float32" if normalizer is None else "float64"

    def call(self, x: Tensor) -> Tensor:
        """Scores of raw rows of `row_dtype`, in nats."""
        finite = ops.all(ops.isfinite(ops.cast(x, "float32")), axis=tuple(range(1, len(x.shape))))
        energies = [
            gmm.energy(columns[:, : mixture.mu.shape[1]], mixture)
            for columns, own in zip(self.latent(x), self.members, strict=True)
            for mixture in own
        ]
        # Of a single mixture this is its energy: centre 0, spread 1.
        scores = combine(ops.stack(energies), *self.scaling, self.limit)
        # Overflow on the way (a row 1e19 sigmas out) must not turn into NaN: it is an outlier.
        scores = ops.where(ops.isfinite(scores), scores, BEYOND)
        return ops.where(finite, scores, float("nan"))

    def latent(self, x: Tensor) -> list[Tensor]:
        """What the mixtures are over: raw rows (N, ...) -> (N, D) float32 for each member.

        First its z, then the principal components, where there are any. A mixture of fewer
        dimensions sees the first of these.
        """
        rows = x if self.normalizer is None else self.normalizer(x)
        _, z, _ = self.net(rows, training=False)
        z = ops.cast(z, "float32")
        seen = [z] if len(z.shape) == 2 else [z[m] for m in range(z.shape[0])]
        if self.projection is not None:
            mean, axes = self.projection
            flat = ops.reshape(rows, (-1, len(mean)))
            behind = ops.matmul(ops.cast(flat, "float32") - mean, axes)
            seen = [ops.concatenate([own, behind], axis=-1) for own in seen]
        return seen
