"""The loss's term for labelled anomalies among the training rows.

The published loss ("modified loss" of the mixture-model DAGMM project) replaces an anomaly's energy
by its inverse. Energies can be 0 or negative, where the inverse has a pole and pulls the wrong way;
so energies count from a reference, that of the batch's other rows.
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
    """What labelled anomalies add to a loss: the mean of a function of their energies.

    Parameters
    ----------
    family
        Kind of the mixture, whose parameters come from the other rows.
    kind
        'hinge' or 'inverse_energy'.
    weight
        Of the term.
    margin
        Of the hinge, in standard deviations of the other rows' energies; a factor of the other.
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
        # A reference, not to be moved in the anomalies' favour.
        above = (energies - ops.stop_gradient(centre)) / ops.stop_gradient(spread)
        return masked_mean(ANOMALY_LOSSES[self.kind](above, self.margin), out.y == 1)


def hinge(above: Tensor, margin: float) -> Tensor:
    """max(0, margin - above): nothing more is asked of an anomaly that lies so far above."""
    return ops.relu(margin - above)


def inverse_energy(above: Tensor, margin: float) -> Tensor:
    """Margin / (softplus(above) + .1): positive and falling for every energy, however low."""
    return margin / (ops.softplus(above) + 0.1)


ANOMALY_LOSSES = {"hinge": hinge, "inverse_energy": inverse_energy}
