"""The loss's term for labelled anomalies among the training rows.

The published loss ("modified loss" of the mixture-model DAGMM project) replaces the energy of an
anomaly by its inverse. But energies can be 0 or negative, where the inverse has a pole and pulls
the wrong way. So energies are relative to those of the other rows of the batch.
"""

import dataclasses

from keras import ops

from aegmm_detect.numerics.families import Family
from aegmm_detect.numerics.objective import ForwardPass, Term, masked_mean, starting
from aegmm_detect.types import Tensor

_SMALLEST = 1e-6


def anomaly_term(
    family: Family, kind: str, weight: float, margin: float, start_at: float = 0.0
) -> Term:
    """Term of a loss for labelled anomalies: the mean of a function of their energies.

    Parameters
    ----------
    family
        Kind of the mixture. Its parameters come from the other rows.
    kind
        'hinge' or 'inverse_energy'.
    weight
        Weight of the term.
    margin
        Margin of 'hinge', in standard deviations of the other rows' energies; a factor of
        'inverse_energy'.
    start_at
        Share of training before which the term has no weight.
    """
    return Term("anomaly", starting(weight, start_at), _Anomaly(family, kind, margin))


@dataclasses.dataclass(frozen=True)
class _Anomaly:
    family: Family
    kind: str
    margin: float

    def __call__(self, out: ForwardPass, params: object) -> Tensor:
        energies = self.family.energy(out.z, params)
        if out.y is None:
            return ops.zeros_like(energies[..., 0])
        centre = masked_mean(energies, out.y != 1)[..., None]
        variance = masked_mean(ops.square(energies - centre), out.y != 1)[..., None]
        spread = ops.sqrt(variance + _SMALLEST)
        # Without a gradient: the loss must not move the reference.
        above = (energies - ops.stop_gradient(centre)) / ops.stop_gradient(spread)
        return masked_mean(ANOMALY_LOSSES[self.kind](above, self.margin), out.y == 1)


def hinge(above: Tensor, margin: float) -> Tensor:
    """max(0, margin - above): no loss for an anomaly that lies farther above."""
    return ops.relu(margin - above)


def inverse_energy(above: Tensor, margin: float) -> Tensor:
    """Margin / (softplus(above) + .1): positive and falling for every energy, however low."""
    return margin / (ops.softplus(above) + 0.1)


ANOMALY_LOSSES = {"hinge": hinge, "inverse_energy": inverse_energy}
