"""Expectation-maximisation on learned z: a density with as many components as the rows bear."""

import warnings
from typing import Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from aegmm_detect.exceptions import IndefiniteCovarianceError
from aegmm_detect.numerics.scoring_mixture import ScoringMixture
from aegmm_detect.types import FloatArray

# The likelihood's last digits do not move a score's rank.
_MAX_STEPS = 100


def component_counts(n_rows: int, wanted: int | Literal["auto"]) -> tuple[int, ...]:
    """Components of each mixture to be fitted to `n_rows` rows; their energies are averaged.

    'auto': one for every 100 rows up to 16, for every 1,000 up to 40. Below 10,000 rows so fine a
    mixture lays components into the tails; a second mixture, of one component, holds against it.
    """
    if wanted != "auto":
        return (min(wanted, n_rows),)
    fine = max(1, min(16, n_rows // 100), min(40, n_rows // 1000))
    return (1, fine) if fine > 1 and n_rows < 10_000 else (fine,)


def refit(z: FloatArray, n_components: int, reg: float, seed: int | None) -> ScoringMixture:
    """Gaussian mixture of `z` by scikit-learn, started from k-means.

    Parameters
    ----------
    z
        Learned vectors of training rows, (N, D), float64.
    n_components
        At most N.
    reg
        Added to the variances of `z` when each of its features has variance 1: code and residuals
        differ by orders of magnitude, and no absolute number suits both.
    seed
        Of the start.

    Raises
    ------
    IndefiniteCovarianceError
        `z` is not finite.
    """
    if not np.isfinite(z).all():
        raise IndefiniteCovarianceError(
            "The nets return NaN or infinity for training rows. Train with normalize='standard', "
            "a lower learning rate or clip_norm=1.0."
        )
    centre, scale = z.mean(axis=0), z.std(axis=0)
    scale = np.where(scale > 1e-6 * np.maximum(np.abs(centre), 1e-6), scale, 1.0)
    mixture = GaussianMixture(n_components, reg_covar=reg, max_iter=_MAX_STEPS, random_state=seed)
    # Products of matrices this small only wait for one another's threads.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # see _MAX_STEPS
        mixture.fit((z - centre) / scale)
    return ScoringMixture(
        phi=mixture.weights_,
        mu=mixture.means_ * scale + centre,
        cov=mixture.covariances_ * np.outer(scale, scale),
        W=mixture.precisions_cholesky_.swapaxes(1, 2) / scale,
    )
