"""The whole scoring graph: scale, nets, features, energy."""

import keras
from keras import ops

from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.scoring_mixture import ScoringMixture
from aegmm_detect.types import Tensor

# Score of rows whose energy is no number in float32: just under its largest number.
BEYOND = 3.4e38


class ScoringGraph(keras.layers.Layer):
    """Raw rows -> energies, (N, ...) -> (N,) float32.

    A row with NaN or infinity scores NaN; every other row gets a number, so NaN means just that.

    Parameters
    ----------
    normalizer
        Scaling of the rows, or None.
    net
        Prepared rows -> (x_recon, z, gamma).
    mixture
        Density of z.
    """

    def __init__(
        self, normalizer: Normalizer | None, net: keras.Model, mixture: ScoringMixture
    ) -> None:
        super().__init__(name="scoring", autocast=False)
        self.normalizer = normalizer
        self.net = net
        self.params = mixture.as_float32()
        # One type for whatever a caller holds, so that it cannot change a score's last bit.
        self.row_dtype = "float32" if normalizer is None else "float64"

    def call(self, x: Tensor) -> Tensor:
        """Energies of raw rows of `row_dtype`, in nats."""
        finite = ops.all(ops.isfinite(ops.cast(x, "float32")), axis=tuple(range(1, len(x.shape))))
        rows = x if self.normalizer is None else self.normalizer(x)
        _, z, _ = self.net(rows, training=False)
        energy = gmm.energy(ops.cast(z, "float32"), self.params)
        # Overflow on the way (a row 1e19 sigmas out) must not turn into NaN: it is an outlier.
        energy = ops.where(ops.isfinite(energy), energy, BEYOND)
        return ops.where(finite, energy, float("nan"))
