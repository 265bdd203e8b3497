"""Update a fitted state with new rows, without changing the nets."""

import dataclasses
from collections.abc import Iterable
from typing import cast

import keras
from keras import ops

from aegmm_detect.numerics import gmm, online
from aegmm_detect.numerics.scoring_mixture import ScoringMixture
from aegmm_detect.od.state import FittedState
from aegmm_detect.row_sketch import RowSketchFit
from aegmm_detect.types import FloatArray


def with_rows(
    state: FittedState,
    net: keras.Model,
    batches: Iterable[FloatArray],
    half_life: float | None,
) -> FittedState:
    """Return the state after an update with more inliers.

    Every mixture is merged with the new rows. The way energies are combined and the scales of other
    scores do not change, so that scores before and after can be compared.

    Parameters
    ----------
    state
        The current state; its mixtures must be Gaussian.
    net
        Net: prepared rows -> (x_recon, z, gamma).
    batches
        Batches of new raw rows (N, ...), finite; no batch is empty.
    half_life
        Number of new rows after which the weight of the old rows is halved; None: all rows have the
        same weight.

    Returns
    -------
    The new state, or `state` itself if there are no rows.
    """
    # Mixtures that cannot be merged do not get here: `update_detector` raises an error.
    before = cast("tuple[tuple[ScoringMixture, ...], ...]", state.density.members)
    seen_of = state.latent(net)
    trained_on = RowSketchFit(state.trained_on)
    total: list[list[gmm.Moments]] = []
    n_new = 0
    for batch in batches:
        seen = [ops.convert_to_numpy(own) for own in seen_of(state.prepared(batch))]
        new = [
            [mixture.moments(columns[:, : mixture.n_dim]) for mixture in own]
            for columns, own in zip(seen, before, strict=True)
        ]
        n_new += len(batch)
        trained_on.update(batch)
        total = (
            new
            if not total
            else [
                [gmm.merge(a, b) for a, b in zip(*pair, strict=True)]
                for pair in zip(total, new, strict=True)
            ]
        )
    if not n_new:
        return state
    weight = online.faded(state.n_rows or 0.0, n_new, half_life)
    members = tuple(
        tuple(online.merged(mixture, weight, new) for mixture, new in zip(*pair, strict=True))
        for pair in zip(before, total, strict=True)
    )
    density = dataclasses.replace(state.density, members=members)
    return dataclasses.replace(
        state,
        density=density,
        n_rows=weight + n_new,
        trained_on=None if state.trained_on is None else trained_on.finish(),
    )
