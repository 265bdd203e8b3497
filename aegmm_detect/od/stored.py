"""The fitted state of a mixture detector as named arrays, for saving and loading."""

import math
from collections.abc import Mapping

import numpy as np

from aegmm_detect.configs.input import InputEntry
from aegmm_detect.detector.stored_arrays import StoredArrays, stored_rows
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.numerics.density import Density, Projection, Scale, ScoreScales
from aegmm_detect.numerics.families import Family
from aegmm_detect.numerics.frozen_mixture import FrozenMixture
from aegmm_detect.od.state import FittedState
from aegmm_detect.types import Array


def arrays_of(state: FittedState) -> dict[str, Array]:
    """Named arrays of a fitted state; parts that are None have no array."""
    density, normalizer = state.density, state.normalizer
    arrays: dict[str, Array] = {
        "density.centre": density.centre,
        "density.spread": density.spread,
    }
    for m, own in enumerate(density.members):
        for p, mixture in enumerate(own):
            for name in mixture.names():
                arrays[f"density.{m}.{p}.{name}"] = getattr(mixture, name)
    if density.limit is not None:
        arrays["density.limit"] = np.array(density.limit)
    if density.projection is not None:
        arrays["projection.mean"] = density.projection.mean
        arrays["projection.axes"] = density.projection.axes
    arrays |= stored_rows(normalizer, state.trained_on)
    if state.noise is not None:
        arrays["noise"] = state.noise
    if state.n_rows is not None:
        arrays["n_rows"] = np.array(state.n_rows, dtype=np.float64)
    if state.scales is not None:
        for part, scale in state.scales._asdict().items():
            for name, values in scale._asdict().items():
                arrays[f"scales.{part}.{name}"] = values
    return arrays


def state_from(arrays: Mapping[str, Array], rows: InputEntry, family: Family) -> FittedState:
    """Make a fitted state from its arrays: the inverse of `arrays_of`.

    Parameters
    ----------
    arrays
        Arrays by name. Unknown ones raise an error.
    rows
        Description of the training rows.
    family
        Kind of the mixtures.

    Raises
    ------
    ArtefactError
        An array is missing, has the wrong shape, is not finite, or is unknown.
    """
    left = StoredArrays(arrays)
    members = _members(left, family)
    n_mixtures = sum(len(own) for own in members)
    limit = float(left.take_positive("density.limit")) if "density.limit" in left else None
    projection = None
    if "projection.mean" in left:
        mean = left.take("projection.mean", math.prod(rows.shape))
        projection = Projection(mean, left.take("projection.axes", len(mean), None))
    density = Density(
        members,
        left.take("density.centre", n_mixtures),
        left.take_positive("density.spread", n_mixtures),
        limit,
        projection,
    )
    normalizer = left.take_normalizer(rows.shape)
    scales = None
    if "scales.residual.centre" in left:
        scales = ScoreScales(
            _scale(left, "scales.residual", len(members)), _scale(left, "scales.parts", 2)
        )
    noise = left.take("noise", None, None) if "noise" in left else None
    n_rows = float(left.take_positive("n_rows")) if "n_rows" in left else None
    trained_on = left.take_sketch()
    left.refuse_rest()
    return FittedState(
        density,
        normalizer,
        rows.shape,
        rows.names,
        rows.eager,
        scales,
        n_rows=n_rows,
        trained_on=trained_on,
        noise=noise,
    )


def _scale(left: StoredArrays, name: str, n: int) -> Scale:
    return Scale(left.take(f"{name}.centre", n), left.take_positive(f"{name}.spread", n))


def _members(left: StoredArrays, family: Family) -> tuple[tuple[FrozenMixture, ...], ...]:
    members: list[tuple[FrozenMixture, ...]] = []
    while f"density.{len(members)}.0.mu" in left:
        own: list[FrozenMixture] = []
        while (prefix := f"density.{len(members)}.{len(own)}") + ".mu" in left:
            shapes = family.scoring.shapes(*left.shape(f"{prefix}.mu", 2))
            mixture = family.scoring(
                **{name: left.take(f"{prefix}.{name}", *shapes[name]) for name in shapes}
            )
            if (problem := mixture.problem()) is not None:
                raise ArtefactError(f"{prefix} makes no density: {problem}.")
            own.append(mixture)
        members.append(tuple(own))
    if not members or len({len(own) for own in members}) > 1:
        raise ArtefactError("The saved density has no mixtures, or members with unlike numbers.")
    return tuple(members)
