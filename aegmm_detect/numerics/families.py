"""Kinds of mixture: one object for each, with all that differs between them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from aegmm_detect.numerics import em, gmm, laplace
from aegmm_detect.numerics.frozen_mixture import FrozenMixture
from aegmm_detect.numerics.scoring_laplacian import ScoringLaplacian
from aegmm_detect.numerics.scoring_mixture import ScoringMixture
from aegmm_detect.types import Batches, FloatArray, Tensor

# Standardised rows (N, D), number of components, floor of variances, seed.
Fit: TypeAlias = Callable[[FloatArray, int, float, int | None], FrozenMixture]


@dataclasses.dataclass(frozen=True, eq=False)
class Family:
    """A kind of mixture: for the loss, the estimate after training, scoring and files.

    Parameters
    ----------
    name
        Its name in messages.
    mixture
        Rows z (N, D), memberships (N, K) and `reg` to parameters; differentiable.
    energy
        Rows z (N, D) and parameters to energies (N,), in nats.
    penalty
        Parameters to a scalar that grows as a component collapses.
    penalty_name
        Its column in the training log.
    moments_of_all
        Batches of rows and memberships to the moments of all of them.
    of_moments
        These moments and `reg` to the mixture that scores.
    scoring
        Class of the mixture that scores.
    fits
        Expectation-maximisation for each kind of covariance; the one with most parameters first.
    mergeable
        Whether the moments of new rows can be added to a mixture without the old rows.
    """

    name: str
    mixture: Callable[[Tensor, Tensor, float], Any]
    energy: Callable[[Tensor, Any], Tensor]
    penalty: Callable[[Any], Tensor]
    penalty_name: str
    moments_of_all: Callable[[Batches], Any]
    of_moments: Callable[[Any, float], FrozenMixture]
    scoring: type[FrozenMixture]
    fits: Mapping[em.Covariance, Fit]
    mergeable: bool

    @property
    def richest(self) -> em.Covariance:
        """The kind of covariance with most parameters."""
        return next(iter(self.fits))


GAUSSIAN = Family(
    name="Gaussian",
    mixture=lambda z, gamma, reg: gmm.mixture(gmm.moments(z, gamma), reg),
    energy=gmm.energy,
    penalty=gmm.inverse_variance,
    penalty_name="cov_diag",
    moments_of_all=gmm.moments_of_all,
    of_moments=ScoringMixture.from_moments,
    scoring=ScoringMixture,
    fits={
        "full": em.fit_gaussian,
        "diag": functools.partial(em.fit_gaussian, covariance="diag"),
    },
    mergeable=True,
)

# Its features are independent within a component, so there is no 'full' one.
LAPLACIAN = Family(
    name="Laplacian",
    mixture=lambda z, gamma, reg: laplace.mixture(laplace.moments(z, gamma), reg),
    energy=laplace.energy,
    penalty=laplace.inverse_scale,
    penalty_name="inverse_scale",
    moments_of_all=laplace.moments_of_all,
    of_moments=ScoringLaplacian.from_moments,
    scoring=ScoringLaplacian,
    fits={"diag": em.fit_laplacian},
    mergeable=False,  # absolute deviations are from a mean that new rows would move
)

_BY_CLASS = {family.scoring: family for family in (GAUSSIAN, LAPLACIAN)}


def family_of(mixture: FrozenMixture) -> Family:
    """The family of a mixture that scores."""
    return _BY_CLASS[type(mixture)]
