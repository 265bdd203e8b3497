"""What can be read off a fitted mixture detector."""

from typing import Any, NamedTuple

import keras

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.density import Density
from aegmm_detect.numerics.frozen_mixture import FrozenMixture
from aegmm_detect.types import FloatArray


class Member(NamedTuple):
    """One net of a detector and the densities of its z."""

    net: keras.Model
    mixtures: tuple[FrozenMixture, ...]


def members_of(
    net: keras.Model, blueprint: Blueprint | None, density: Density
) -> tuple[Member, ...]:
    """Each net of an ensemble as a net of its own; of others the net itself."""
    if blueprint is None or blueprint.members is None:
        return (Member(net, density.members[0]),)
    return tuple(Member(blueprint.alone(net, m), own) for m, own in enumerate(density.members))


def the_mixture(density: Density) -> FrozenMixture:
    """The only one.

    Raises
    ------
    ConfigurationError
        There are several.
    """
    if len(density.mixtures) > 1:
        raise ConfigurationError(
            f"This detector scores by {len(density.mixtures)} mixtures: .members has those of "
            "each net."
        )
    return density.mixtures[0]


def parameter(name: str, meaning: str) -> property:
    """Property of a mixture detector: a parameter of the density that scores rows.

    It raises `NotFittedError` before `fit`, and `ConfigurationError` where there are several
    mixtures, or one of another kind.
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
