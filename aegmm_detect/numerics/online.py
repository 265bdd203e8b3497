"""A mixture that goes on learning: it merges new rows into its moments, and old ones fade."""

import numpy as np
from keras import ops

from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.frozen_mixture import in_double
from aegmm_detect.numerics.scoring_mixture import ScoringMixture


def faded(n_rows: float, n_new: int, half_life: float | None) -> float:
    """Weight of `n_rows` old rows after `n_new` new ones; every `half_life` new rows halve it."""
    return n_rows if half_life is None else n_rows * 0.5 ** (n_new / half_life)


def merged(mixture: ScoringMixture, weight: float, new: gmm.Moments) -> ScoringMixture:
    """The mixture of old and new rows together.

    A mixture and its number of rows give moments again, and moments can be added (Chan et al.,
    1979). With one component, this is the fit to all rows in one pass. With several, it is one step
    of incremental expectation-maximisation (Neal and Hinton, 1998): a new row keeps the memberships
    that the old mixture gives it.

    Parameters
    ----------
    mixture
        Mixture of the old rows.
    weight
        Number of old rows, or a smaller weight: see `faded`.
    new
        Moments of new rows under the posterior memberships of `mixture`.

    Raises
    ------
    IndefiniteCovarianceError
        If the moments of the new rows are not finite.
    """
    mass = weight * mixture.phi
    old = gmm.Moments(mass, mixture.mu, mass[:, None, None] * mixture.cov)
    both = gmm.Moments(*map(ops.convert_to_numpy, gmm.merge(in_double(old), in_double(new))))
    if mixture.diagonal:
        both = both._replace(scatter=both.scatter * np.eye(mixture.n_dim))
    return ScoringMixture.from_moments(both)
