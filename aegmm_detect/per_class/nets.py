"""One net for each class, all of one shape, as one stacked net that trains as one program.

Axes: N rows, C classes, E members of each class's ensemble, M = C x E nets, F features.
"""

from collections.abc import Sequence

import keras
from keras import ops

from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.objective import ForwardPass
from aegmm_detect.programs.structure import shared_class
from aegmm_detect.types import Tensor


@shared_class
class PerClassNets(AEGMM):
    """An AEGMM of M nets, each of which sees rows of its own class.

    Its rows (N, C, F) hold one row of every class. What it returns has the members' axis in front,
    as that of an ensemble, and so have the rows in its `ForwardPass`.
    """

    def forward(
        self, x: Tensor, training: bool | None = None, noise: Tensor | None = None
    ) -> ForwardPass:
        """All that a batch gives; see `AEGMM.forward`."""
        own = ops.swapaxes(x, 0, 1)
        each = self.encoder.input_shape[0] // own.shape[0]
        if each > 1:
            own = ops.repeat(own, each, axis=0)
        return super().forward(own, training, noise)


class NetsOfClasses(keras.Model):
    """Nets of all classes, as one for whoever wants their weights."""

    def __init__(self, nets: Sequence[keras.Model]) -> None:
        super().__init__(name="nets_of_classes", dtype="float32")
        self.nets = list(nets)
        self.built = True


def stack_per_class(blueprint: Blueprint, n_classes: int, seed: int | None) -> PerClassNets:
    """Nets of `n_classes` classes, each with the weights of ``blueprint.build(seed)``.

    The same ones for every class: which of them is first in order then changes nothing.
    """
    each = blueprint.members or 1
    net = blueprint.replace(members=n_classes * each).build(seed)
    alone = blueprint.replace(members=each).build(seed)
    for weight, own in zip(net.weights, alone.weights, strict=True):
        weight.assign(ops.concatenate([own] * n_classes, axis=0))
    # An ensemble's encoder takes rows that are the same for all members.
    rows = keras.layers.InputLayer(
        batch_shape=(n_classes * each, None, blueprint.sizes.n_features), dtype="float32"
    )
    encoder = keras.Sequential([rows, *net.encoder.layers], name="encoder")
    return PerClassNets(encoder, net.decoder, net.gmm_density, net.n_gmm, net.recon_features)


def net_of_class(net: PerClassNets, blueprint: Blueprint, number: int) -> AEGMM:
    """The nets of class `number` on their own, as `blueprint` has them."""
    if blueprint.members is None:
        return blueprint.alone(net, number)
    alone = blueprint.build(None)
    first = number * blueprint.members
    for own, weight in zip(alone.weights, net.weights, strict=True):
        own.assign(weight[first : first + blueprint.members])
    return alone
