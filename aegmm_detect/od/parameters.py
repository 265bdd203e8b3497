"""What can be read off a fitted mixture detector."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import keras

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.families import Family
from aegmm_detect.numerics.frozen_mixture import FrozenMixture
from aegmm_detect.od.state import FittedState
from aegmm_detect.types import FloatArray


class Member(NamedTuple):
    """One net of a detector and the densities of its z."""

    net: keras.Model
    mixtures: tuple[FrozenMixture, ...]


class MixtureParameters:
    """Parameters of the density that scores rows.

    Each raises `NotFittedError` before `fit`, and `ConfigurationError` where there are several
    mixtures, or one of another kind.
    """

    FAMILY: ClassVar[Family]
    net: keras.Model
    fitted: bool
    _blueprint: Blueprint | None
    _state: FittedState | None
    _require_fit_for: Callable[[str], None]  # of `Detector`

    @property
    def members(self) -> tuple[Member, ...]:
        """Net and mixtures of each member of an ensemble, or of the detector alone.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        grouped = self._fitted_state("members").density.members
        if self._blueprint is None or self._blueprint.members is None:
            return (Member(self.net, grouped[0]),)
        plain = self._blueprint.plain
        return tuple(Member(plain(self.net, m), own) for m, own in enumerate(grouped))

    @property
    def mixture(self) -> FrozenMixture:
        """The density that scores rows.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ConfigurationError
            There are several: see `members`.
        """
        mixtures = self._fitted_state("mixture").density.mixtures
        if len(mixtures) > 1:
            raise ConfigurationError(
                f"This detector scores by {len(mixtures)} mixtures: .members has those of each net."
            )
        return mixtures[0]

    @property
    def phi(self) -> FloatArray:
        """Weights of the mixture, (K,)."""
        return self._parameter("phi")

    @property
    def mu(self) -> FloatArray:
        """Means, (K, D)."""
        return self._parameter("mu")

    @property
    def cov(self) -> FloatArray:
        """Covariances, regularised, (K, D, D)."""
        return self._parameter("cov")

    @property
    def L(self) -> FloatArray:
        """Cholesky factors of the covariances, (K, D, D)."""
        return self._parameter("L")

    @property
    def log_det_cov(self) -> FloatArray:
        """Log-determinants of the covariances, (K,)."""
        return self._parameter("log_det_cov")

    @property
    def scale(self) -> FloatArray:
        """Scales of a Laplacian mixture, mean absolute deviations with their floor, (K, D)."""
        return self._parameter("scale")

    def _parameter(self, name: str) -> FloatArray:
        mixture = self.mixture
        if not hasattr(mixture, name):
            raise ConfigurationError(
                f"A {self.FAMILY.name} mixture has no {name}; it has {', '.join(mixture.names())}."
            )
        return getattr(mixture, name)

    def _fitted_state(self, what: str) -> FittedState:
        self._require_fit_for(what)
        assert self._state is not None
        return self._state
