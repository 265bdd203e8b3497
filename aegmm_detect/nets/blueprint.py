"""Nets that can be built again: what the detectors that bring no nets of the user's start from."""

import dataclasses
from typing import Any, Self

import keras

from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.nets import blocks
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.checks import count_features
from aegmm_detect.nets.stacked import member_weights
from aegmm_detect.types import ReconFeatures


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """Sizes, features and number of members of an AEGMM that the package builds.

    Parameters
    ----------
    sizes
        Widths and activations.
    recon_features
        Function of (x, x_recon) -> (N, F).
    members
        Nets in an ensemble; None for a plain net.
    """

    sizes: NetSizes
    recon_features: ReconFeatures
    members: int | None = None

    def replace(self, **changes: Any) -> Self:
        """Copy with some values changed."""
        return dataclasses.replace(self, **changes)

    def build(self, seed: int | None) -> AEGMM:
        """Nets with fresh weights."""
        return self._build(seed, self.members)

    def plain(self, net: keras.Model, member: int) -> AEGMM:
        """One member of `net` as nets of its own."""
        alone = self._build(None, None)
        for part, stacked in zip(_parts(alone), _parts(net), strict=True):
            for weight, value in zip(
                part.trainable_variables, member_weights(stacked, member), strict=True
            ):
                weight.assign(value)
        return alone

    def _build(self, seed: int | None, members: int | None) -> AEGMM:
        n_features = count_features(self.recon_features, (self.sizes.n_features,))
        nets = blocks.build(self.sizes, n_features, seed, members)
        return AEGMM(*nets, self.sizes.n_gmm, self.recon_features)


def _parts(net: AEGMM) -> tuple[keras.Model, ...]:
    return net.encoder, net.decoder, net.gmm_density
