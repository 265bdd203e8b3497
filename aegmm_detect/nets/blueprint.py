"""Nets that can be built again: what the detectors that bring no nets of the user's start from."""

import dataclasses
from typing import Any, Self

import keras

from aegmm_detect.configs.nets import CodeConfig, NetSizes
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
    code
        Kind of code; None for the encoder's output itself.
    context
        What puts columns after the features; as it is, in every net that is built.
    """

    sizes: NetSizes
    recon_features: ReconFeatures
    members: int | None = None
    code: CodeConfig | None = None
    context: keras.Model | None = None

    def replace(self, **changes: Any) -> Self:
        """Copy with some values changed."""
        return dataclasses.replace(self, **changes)

    def describe(self) -> dict[str, Any]:
        """For a record of what was built, as JSON; features by name, context by whether it is."""
        functions = getattr(self.recon_features, "functions", (self.recon_features,))
        return {
            "sizes": self.sizes.model_dump(mode="json"),
            "recon_features": [getattr(f, "__name__", type(f).__name__) for f in functions],
            "members": self.members,
            "code": None if self.code is None else self.code.model_dump(mode="json"),
            "context": self.context is not None,
        }

    def build(self, seed: int | None) -> AEGMM:
        """Nets with fresh weights."""
        return self._build(seed, self.members, self.context)

    def reset(self, net: AEGMM, seed: int | None) -> None:
        """Give `net` the weights that `build` would give it, its context apart."""
        for part, fresh in zip(_parts(net), _parts(self.build(seed)), strict=True):
            part.set_weights(fresh.get_weights())

    def alone(self, net: keras.Model, member: int) -> AEGMM:
        """One member of `net` as nets of its own."""
        alone = self._build(None, None, net.context)
        for part, stacked in zip(_parts(alone), _parts(net), strict=True):
            for weight, value in zip(part.weights, member_weights(stacked, member), strict=True):
                weight.assign(value)
        return alone

    def _build(self, seed: int | None, members: int | None, context: keras.Model | None) -> AEGMM:
        n_features = count_features(self.recon_features, (self.sizes.n_features,))
        n_context = 0 if context is None else context.output_shape[-1]
        nets = blocks.build(self.sizes, n_features, seed, members, self.code, n_context)
        # Far from the seeds of those layers.
        code = blocks.build_code(
            self.code, self.sizes, None if seed is None else seed + 500, members
        )
        last = (self.sizes.n_gmm, self.recon_features)
        return AEGMM(*nets, *last, code=code, context=context)


def _parts(net: AEGMM) -> tuple[keras.Model, ...]:
    parts = (net.encoder, net.decoder, net.gmm_density, net.code)
    return tuple(part for part in parts if part is not None)
