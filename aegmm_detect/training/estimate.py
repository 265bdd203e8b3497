"""Estimate the density after training, from the training rows, in limited memory."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops
from sklearn.decomposition import PCA

from aegmm_detect.configs.density import DensityConfig, Part
from aegmm_detect.exceptions import ConfigurationError, IndefiniteCovarianceError
from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.density import Density, Projection
from aegmm_detect.numerics.em import Covariance
from aegmm_detect.numerics.families import GAUSSIAN, Family
from aegmm_detect.numerics.frozen_mixture import FrozenMixture
from aegmm_detect.sizes import how_many_fit
from aegmm_detect.training.data import ArrayRows, StreamRows
from aegmm_detect.training.refit import REMEDY, Refit, component_count, refit, without_strangest
from aegmm_detect.types import Array, FloatArray, Forward, Tensor

# Rows per pass through the nets; fewer if rows are wide, such as images. More rows save no time.
_MOST_ROWS = 8192
# Covariance type of each part of a density.
COVARIANCE_OF: Mapping[Part, Covariance] = {
    "full": "full",
    "diagonal": "diag",
    "single": "diag",
}


def check_parts(family: Family, config: DensityConfig) -> None:
    """Raise if `config` asks for parts of a density that mixtures of `family` do not have.

    Raises
    ------
    ConfigurationError
        A part does not exist; the message names it, and the parts that exist.
    """
    parts = tuple(part for part, kind in COVARIANCE_OF.items() if kind in family.fits)
    missing = [part for part in config.parts if part not in parts]
    if config.n_components is not None and missing:
        raise ConfigurationError(
            f"density.parts={config.parts!r}: a {family.name} mixture has no {missing[0]!r} part. "
            f"Set parts to some of {parts}."
        )


def rows_per_pass(row_shape: tuple[int, ...]) -> int:
    """Number of rows of this shape that go through the net at once."""
    return how_many_fit(row_shape, _MOST_ROWS)


def estimate_density(
    forward: Forward,
    rows: ArrayRows | StreamRows,
    config: DensityConfig,
    members: int | None,
    seed: int | None,
    family: Family = GAUSSIAN,
) -> Density:
    """Estimate the density that scores rows.

    Parameters
    ----------
    forward
        The net in inference mode: prepared rows -> (x_recon, z, gamma).
    rows
        Prepared training rows.
    config
        Settings: whether to use the density net's mixture or to fit new ones, and how.
    members
        Number of members of the net, if it is an ensemble.
    seed
        Random state of the sample of rows and of the fit.
    family
        Kind of the mixtures.

    Raises
    ------
    IndefiniteCovarianceError
        If the nets' outputs have no finite mixture.
    """
    size = rows_per_pass(rows.shape)
    batches = functools.partial(rows.batches, size)
    if config.n_components is None and not members:
        return Density.of_one(estimate_mixture(forward, batches, family=family))
    sample = sample_rows(rows, config.max_rows, seed)
    z = in_passes(lambda rows: forward(rows)[1], sample).astype(np.float64)
    z = z if members else z[None]
    projection = None
    if config.n_components is None:
        moments = total_moments(forward, batches, family)
        each = (type(moments)(*(part[m] for part in moments)) for m in range(len(z)))
        mixtures = [_of_moments(family, own, gmm.DEFAULT_REG) for own in each]
    else:
        projection = principal_components(sample, config.principal_components)
        projected = np.empty((len(sample), 0)) if projection is None else projection(sample)
        # Principal components can be small, but have the rounding errors of whole rows. So the
        # size of a row decides which variances are only rounding errors.
        length = np.sqrt(np.mean(np.square(sample, dtype=np.float64)) * math.prod(rows.shape))
        sizes = np.repeat([0.0, length], [z.shape[-1], projected.shape[1]])
        n_components = component_count(len(sample), config.n_components)
        n_own = z.shape[-1]
        z = np.concatenate([z, np.broadcast_to(projected, (len(z), *projected.shape))], axis=-1)
        fitted_to = list(z)
        if config.trim:
            rough = [Refit(own, n_components, family.richest, family, sizes) for own in z]
            first = refit(rough, config.reg, seed)
            pairs = zip(z, first, strict=True)
            fitted_to = [
                own[without_strangest(own, mixture, config.trim)] for own, mixture in pairs
            ]
        jobs = [
            job
            for own in fitted_to
            for job in _jobs(
                Refit(own, min(n_components, len(own)), family=family, size=sizes),
                n_own,
                config.parts,
            )
        ]
        mixtures = refit(jobs, config.reg, seed)
    each_has = len(mixtures) // len(z)
    energies = [own.energy(z[i // each_has][:, : own.n_dim]) for i, own in enumerate(mixtures)]
    starts = range(0, len(mixtures), each_has)
    by_member = tuple(tuple(mixtures[i : i + each_has]) for i in starts)
    return Density.of_all(by_member, np.stack(energies), config.limit, projection)


def in_passes(function: Callable[[Tensor], Tensor], sample: FloatArray) -> FloatArray:
    """Outputs (..., N, D) of `function` for rows (N, ...), computed in batches of moderate size."""
    size = rows_per_pass(sample.shape[1:])
    starts = range(0, len(sample), size)
    parts = (function(sample[i : i + size]) for i in starts)
    return np.concatenate([ops.convert_to_numpy(part) for part in parts], axis=-2)


def _jobs(whole: Refit, n_own: int, parts: Sequence[Part]) -> list[Refit]:
    """The mixtures to fit for one net.

    They use all columns of `whole`, or only the first `n_own`, which are the net's z.
    """
    alone = whole._replace(z=whole.z[:, :n_own], n_components=1, size=whole.size[:n_own])
    of_part = {"full": whole, "diagonal": whole, "single": alone}
    return [of_part[part]._replace(covariance=COVARIANCE_OF[part]) for part in parts]


def estimate_mixture(
    forward: Forward,
    batches: Callable[[], Iterable[FloatArray]],
    reg: float = gmm.DEFAULT_REG,
    family: Family = GAUSSIAN,
) -> FrozenMixture:
    """Estimate the mixture that scores rows, from the net's outputs for all rows, in float64.

    Parameters
    ----------
    forward
        The net in inference mode: prepared rows -> (x_recon, z, gamma).
    batches
        Function that returns an iterator over all prepared training rows, in batches of any size.
    reg
        Number added to variances, relative to a component's mean variance.
    family
        Kind of the mixture. A Laplacian mixture needs two passes over the rows.

    Raises
    ------
    IndefiniteCovarianceError
        If the nets' outputs have no finite mixture.
    """
    return _of_moments(family, total_moments(forward, batches, family), reg)


def _of_moments(family: Family, moments: Any, reg: float) -> FrozenMixture:
    """Make the mixture from moments; if it is not finite, the error says how to train."""
    try:
        return family.of_moments(moments, reg)
    except IndefiniteCovarianceError as error:
        raise IndefiniteCovarianceError(
            "The mixture of the training rows is not finite: the nets return values too large for "
            f"a density. {REMEDY}"
        ) from error


def total_moments(
    forward: Forward, batches: Callable[[], Iterable[FloatArray]], family: Family = GAUSSIAN
) -> Any:
    """Moments of all `batches` together, in float64. For an ensemble, the first axis is members."""

    def latent() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in batches():
            _, z, gamma = forward(batch)
            yield ops.cast(z, "float64"), ops.cast(gamma, "float64")

    return family.moments_of_all(latent)


def principal_components(sample: FloatArray, most: int) -> Projection | None:
    """At most `most` principal components, and at most one for every eight rows; None for none.

    With more components, single rows would determine the axes.
    """
    flat = sample.reshape(len(sample), -1)
    n_axes = min(most, flat.shape[1], len(flat) // 8)
    if n_axes == 0:
        return None
    # Choose the cheaper solver. If there are more features than rows, the covariance (F, F) could
    # take minutes and all memory, while a decomposition of the rows takes N^2 F steps.
    solver = "full" if len(flat) < flat.shape[1] else "covariance_eigh"
    with np.errstate(invalid="ignore"):  # if all rows are the same, shares of variance are 0 / 0
        pca = PCA(n_axes, svd_solver=solver).fit(flat.astype(np.float64))
    return Projection(pca.mean_, pca.components_.T)


def sample_rows(rows: ArrayRows | StreamRows, most: int, seed: int | None) -> FloatArray:
    """Draw at most `most` rows at random, and return them in order. Reads all rows once."""
    size = rows_per_pass(rows.shape)
    if rows.n_rows <= most:
        return np.concatenate(list(rows.batches(size)))
    wanted = np.sort(np.random.default_rng(seed).choice(rows.n_rows, most, replace=False))

    def taken() -> Iterator[Array]:
        first = 0
        for batch in rows.batches(size):
            low, high = np.searchsorted(wanted, [first, first + len(batch)])
            yield batch[wanted[low:high] - first]
            first += len(batch)

    return np.concatenate(list(taken()))
