"""Attributes of a fitted mixture detector: its members and the parameters of its mixture."""

from typing import Any, NamedTuple

import keras

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.density import Density
from aegmm_detect.numerics.frozen_mixture import FrozenMixture
from aegmm_detect.types import FloatArray


class Member(NamedTuple):
    """One net of a detector and the mixtures fitted to its z."""

    net: keras.Model
    mixtures: tuple[FrozenMixture, ...]


def members_of(
    net: keras.Model, blueprint: Blueprint | None, density: Density
) -> tuple[Member, ...]:
    """Split an ensemble into separate nets; a single net is one member."""
    if blueprint is None or blueprint.members is None:
        return (Member(net, density.members[0]),)
    return tuple(Member(blueprint.alone(net, m), own) for m, own in enumerate(density.members))


def the_mixture(density: Density) -> FrozenMixture:
    """Return the only mixture of a density.

    Raises
    ------
    ConfigurationError
        There are several mixtures.
    """
    if len(density.mixtures) > 1:
        raise ConfigurationError(
            f"This detector scores by {len(density.mixtures)} mixtures: .members has those of "
            "each net."
        )
    return density.mixtures[0]


def parameter(name: str, meaning: str) -> property:
    """Make a property of a mixture detector that returns a parameter of its mixture.

    The property raises `NotFittedError` before `fit`. It raises `ConfigurationError` if there are
    several mixtures, or if this kind of mixture has no such parameter.
    """

    def read(detector: Any) -> FloatArray:
        mixture = detector.mixture
        if not hasattr(mixture, name):
            raise ConfigurationError(
                f"A {detector.FAMILY.name} mixture has no {name}; it has "
                f"{', '.join(mixture.names())}."
            )
        return getattr(mixture, name)

    return property(read, doc=meaning)
