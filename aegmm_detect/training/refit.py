"""Expectation-maximisation on learned z: a density with as many components as the rows bear."""

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

# Nets compute with numbers near 1, and round smaller results of theirs no finer.
_LEAST_SIZE = 1e-6


class Refit(NamedTuple):
    """A mixture to be fitted."""

    z: FloatArray  # (N, D)  learned vectors of training rows, float64
    n_components: int  # at most N
    covariance: Covariance = "full"
    family: Family = GAUSSIAN
    # Of the numbers that z was computed from, (D,), where they are larger than z itself.
    size: FloatArray = np.zeros(1)


def component_count(n_rows: int, wanted: int | Literal["auto"]) -> int:
    """Components of a mixture to be fitted to `n_rows` rows.

    'auto': one for every 100 rows up to 16, for every 500 up to 40.
    """
    if wanted != "auto":
        return min(wanted, n_rows)
    return max(1, min(16, n_rows // 100), min(40, n_rows // 500))


def usual_rows(z: FloatArray, mixture: FrozenMixture, trim: float) -> IntArray:
    """Rows without the share `trim` that has the highest energy, for a second fit.

    Trimmed likelihood (Neykov et al., 2007) with a single step. Anomalies among the training rows
    have components of their own in the first fit, but wide ones: they are the first to go.

    Parameters
    ----------
    z
        (N, D).
    mixture
        Fitted to `z`.
    trim
        From 0 to 1.

    Returns
    -------
    Row numbers, ascending; at least as many as the mixture has components.
    """
    kept = max(len(mixture.phi), round((1.0 - trim) * len(z)))
    return np.sort(np.argsort(mixture.energy(z), kind="stable")[:kept])


def refit(jobs: Sequence[Refit], reg: float, seed: int | None) -> list[FrozenMixture]:
    """Mixtures by expectation-maximisation, started from k-means; several at a time.

    Parameters
    ----------
    jobs
        What to fit.
    reg
        Added to the variances of `z`, or the least of them (see `em`), when each of its features
        has variance 1: code and residuals differ by orders of magnitude, and no absolute number
        suits both.
    seed
        Of every start.

    Raises
    ------
    IndefiniteCovarianceError
        A `z` is not finite.
    """
    for job in jobs:
        if not np.isfinite(job.z).all():
            raise IndefiniteCovarianceError(
                "The nets return NaN or infinity for training rows. Train with "
                "normalize='standard', a lower learning rate or clip_norm=1.0."
            )
    with _one_thread_each(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda job: _fit(job, reg, seed), jobs))


def _fit(job: Refit, reg: float, seed: int | None) -> FrozenMixture:
    centre, scale = job.z.mean(axis=0), job.z.std(axis=0)
    size = np.maximum(np.maximum(np.abs(centre), _LEAST_SIZE), job.size)
    scale = divisor(scale, size, rounding(np.float32))
    fit = job.family.fits[job.covariance]
    # OpenMP counts threads for each thread that calls it. With several, k-means would add up in
    # another order each time.
    with threadpool_limits(1, user_api="openmp"):
        standard = fit((job.z - centre) / scale, job.n_components, reg, seed)
    return standard.moved(centre, scale)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    # Products of matrices this small only wait for one another's threads.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # it ends before
        yield
