"""Fit mixtures to learned z by expectation-maximisation."""

import concurrent.futures
import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from aegmm_detect.exceptions import IndefiniteCovarianceError
from aegmm_detect.numerics.em import Covariance
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.numerics.frozen_mixture import FrozenMixture
from aegmm_detect.numerics.spread import divisor, rounding
from aegmm_detect.types import FloatArray, IntArray

# Advice if the nets return numbers that no mixture fits.
REMEDY = "Train with normalize='standard', a lower learning rate or clip_norm=1.0."
# Nets compute with numbers near 1, so smaller results do not have smaller rounding errors.
_LEAST_SIZE = 1e-6


class Refit(NamedTuple):
    """One mixture to fit: rows and settings."""

    z: FloatArray  # (N, D)  z of the training rows, float64
    n_components: int  # at most N
    covariance: Covariance = "full"
    family: Family = GAUSSIAN
    # Size (D,) of the numbers from which z was computed, if they are larger than z itself.
    size: FloatArray = np.zeros(1)


def component_count(n_rows: int, wanted: int | Literal["auto"]) -> int:
    """Number of components of a mixture that is fitted to `n_rows` rows.

    'auto' is one for every 100 rows up to 16, then one for every 500 up to 40.
    """
    if wanted != "auto":
        return min(wanted, n_rows)
    return max(1, min(16, n_rows // 100), min(40, n_rows // 500))


def without_strangest(z: FloatArray, mixture: FrozenMixture, trim: float) -> IntArray:
    """Rows for a second fit: all but the share `trim` that has the highest energy.

    This is a single step of trimmed likelihood (Neykov et al., 2007). In the first fit, anomalies
    among the training rows get their own components, but wide ones. So they have the highest
    energy.

    Parameters
    ----------
    z
        Rows, (N, D).
    mixture
        Mixture that was fitted to `z`.
    trim
        Share of the rows, from 0 to 1.

    Returns
    -------
    Row indices, ascending; at least as many as the mixture has components.
    """
    kept = max(len(mixture.phi), round((1.0 - trim) * len(z)))
    return np.sort(np.argsort(mixture.energy(z), kind="stable")[:kept])


def refit(jobs: Sequence[Refit], reg: float, seed: int | None) -> list[FrozenMixture]:
    """Fit mixtures by expectation-maximisation from k-means, several at the same time.

    Each feature of z is first scaled to variance 1: code and residuals differ by orders of
    magnitude, and no absolute `reg` suits both.

    Parameters
    ----------
    jobs
        The mixtures to fit.
    reg
        Added to the variances of scaled z, or their lower limit: see `em`.
    seed
        Random state of every start.

    Raises
    ------
    IndefiniteCovarianceError
        A z is not finite.
    """
    for job in jobs:
        if not np.isfinite(job.z).all():
            raise IndefiniteCovarianceError(
                f"The nets return NaN or infinity for training rows. {REMEDY}"
            )
    with _one_thread_each(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda job: _fit(job, reg, seed), jobs))


def _fit(job: Refit, reg: float, seed: int | None) -> FrozenMixture:
    centre, scale = job.z.mean(axis=0), job.z.std(axis=0)
    size = np.maximum(np.maximum(np.abs(centre), _LEAST_SIZE), job.size)
    scale = divisor(scale, size, rounding(np.float32))
    fit = job.family.fits[job.covariance]
    # OpenMP counts threads for each thread that calls it.
    with repeatable_kmeans():
        standard = fit((job.z - centre) / scale, job.n_components, reg, seed)
    return standard.moved(centre, scale)


def repeatable_kmeans() -> threadpool_limits:
    """Context in which k-means uses one thread; the sums of several would differ between runs."""
    return threadpool_limits(1, user_api="openmp")


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    # More threads do not speed up products of such small matrices.
    with warnings.catch_warnings(), threadpool_limits(1):
        # The number of EM steps is limited on purpose, so this warning is expected.
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
