"""A mixture that goes on learning: new rows merge into its moments, old ones fade."""

import numpy as np
from keras import ops

from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.scoring_mixture import ScoringMixture


def faded(n_rows: float, n_new: int, half_life: float | None) -> float:
    """What `n_rows` old rows weigh after `n_new` more, of which `half_life` halve it."""
    return n_rows if half_life is None else n_rows * 0.5 ** (n_new / half_life)


def merged(mixture: ScoringMixture, weight: float, new: gmm.Moments) -> ScoringMixture:
    """The mixture of old and new rows together.

    A mixture and the number of rows behind it are moments again, and moments add up (Chan et al.,
    1979). With one component this is the fit to all rows in one pass; with several, one step of
    incremental expectation-maximisation (Neal and Hinton, 1998): a new row keeps the memberships
    that the old mixture gives it.

    Parameters
    ----------
    mixture
        Of the old rows.
    weight
        Number of old rows, or what is left of it: see `faded`.
    new
        Moments of new rows under the posterior memberships of `mixture`.

    Raises
    ------
    IndefiniteCovarianceError
        The new rows' moments are not finite.
    """
    mass = weight * mixture.phi
    old = gmm.Moments(mass, mixture.mu, mass[:, None, None] * mixture.cov)
    both = gmm.Moments(*map(ops.convert_to_numpy, gmm.merge(_double(old), _double(new))))
    if mixture.diagonal:
        both = both._replace(scatter=both.scatter * np.eye(mixture.n_dim))
    return ScoringMixture.from_moments(both)


def _double(moments: gmm.Moments) -> gmm.Moments:
    return gmm.Moments(*(ops.convert_to_tensor(part, dtype="float64") for part in moments))
