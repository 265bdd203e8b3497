"""Training of self-organising maps (Kohonen 2001), row by row as in Chen et al. (2020).

Axes: N rows, F features, S x S nodes of a map.

Why this is our own: MiniSom, a kept library, takes several times as long for maps that are no
better, and for their winners. Training by batches takes as long as this and makes finer maps, but
they keep neighbours no closer than these do with a Gaussian neighbourhood, and places of winners
are all that DAGMM sees: so it is the paper's way. ``python -m benchmarks.som`` measures all three.
"""

import math
from collections.abc import Sequence

import numpy as np

from aegmm_detect.configs.maps import MapTraining, Neighbourhood
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.numerics.som import grid, merge_close
from aegmm_detect.types import FloatArray

_MOST_SIDE = 32  # the paper's
_SIGMAS = 3.0  # of a Gaussian: farther nodes would go less than 1 % of the winner's way


def default_side(n_rows: int) -> int:
    """Nodes along a side for `n_rows` training rows: sqrt(5 sqrt(n)) / 2, from 2 to 32.

    Half the side of Vesanto's rule of 5 sqrt(n) nodes, as quoted of Chen et al.
    """
    return min(max(round(math.sqrt(5.0 * math.sqrt(n_rows)) / 2.0), 2), _MOST_SIDE)


def train_map(
    X: FloatArray,
    side: int,
    seed: int | np.random.SeedSequence,
    training: MapTraining | None = None,
) -> FloatArray:
    """Train one map.

    Parameters
    ----------
    X
        Prepared rows, (N, F).
    side
        Nodes along either axis, 2 or more; `default_side` has a rule.
    seed
        The same seed and rows make the same map.
    training
        None for the defaults of `MapTraining`.

    Returns
    -------
    The map, float32 (side, side, F).

    Raises
    ------
    ConfigurationError
        The map is too small.
    InvalidInputError
        There are no rows, they are not flat or not finite.
    """
    training = training or MapTraining()
    if not isinstance(side, (int, np.integer)) or isinstance(side, bool) or side < 2:
        raise ConfigurationError(f"side={side!r}: pass a whole number of at least 2.")
    if X.ndim != 2 or 0 in X.shape:
        raise InvalidInputError(f"A map needs rows (N, F), flattened; got shape {X.shape}.")
    rng = np.random.default_rng(seed)
    drawn = X[rng.choice(len(X), training.n_steps, replace=len(X) < training.n_steps)]
    if not np.isfinite(drawn).all():
        raise InvalidInputError("Rows to train a map on have NaN or infinity: leave them out.")
    # What all rows share would drown their differences in float32's squares.
    middle = drawn.mean(axis=0, dtype=np.float64)
    rows = (drawn - middle).astype(np.float32)
    nodes = _Nodes(_plane(rows, side) if training.init == "linear" else _sample(rows, side, rng))
    radius = side / 4.0 if training.radius is None else training.radius
    for i, row in enumerate(rows):
        left = 1.0 - i / len(rows)
        nodes.step(row, left * training.learning_rate, left * radius, training.neighbourhood)
    return merge_close((nodes.weights + middle).astype(np.float32))


def train_maps(
    X: FloatArray, sides: Sequence[int], seed: int, training: MapTraining | None = None
) -> tuple[FloatArray, ...]:
    """Train maps that differ: each has random numbers of its own. More maps change none before.

    Parameters
    ----------
    X, training
        As for `train_map`.
    sides
        Of each map.
    seed
        Of all of them.

    Returns
    -------
    Maps, float32 (S, S, F), each with its own S.

    Raises
    ------
    ConfigurationError, InvalidInputError
        As `train_map`, or `sides` is empty.
    """
    if not len(sides):
        raise ConfigurationError("sides=[]: pass the side of each map, such as [16, 16].")
    seeds = np.random.SeedSequence(seed).spawn(len(sides))
    return tuple(train_map(X, side, own, training) for side, own in zip(sides, seeds, strict=True))


class _Nodes:
    """A map in the making.

    Parameters
    ----------
    weights
        (S, S, F), float32; moved in place.
    """

    def __init__(self, weights: FloatArray) -> None:
        self.weights = np.ascontiguousarray(weights, dtype=np.float32)
        self._side = len(weights)
        self._flat = self.weights.reshape(-1, weights.shape[-1])
        self._half_squares = 0.5 * np.einsum("ijf,ijf->ij", self.weights, self.weights)

    def step(self, row: FloatArray, rate: float, radius: float, kind: Neighbourhood) -> None:
        """Move the winner of `row` (F,) and its neighbours towards it."""
        winner = int(np.argmin(self._half_squares.ravel() - self._flat @ row))
        (rows, across), (columns, along) = (
            _reach(place, self._side, radius, kind) for place in divmod(winner, self._side)
        )
        near = self.weights[rows, columns]
        # Both neighbourhoods are products of what they are along the axes.
        near += (rate * np.outer(across, along))[..., None].astype(np.float32) * (row - near)
        self._half_squares[rows, columns] = 0.5 * np.einsum("ijf,ijf->ij", near, near)


def _reach(place: int, side: int, radius: float, kind: Neighbourhood) -> tuple[slice, FloatArray]:
    """Nodes along one axis that move with the one at `place`, and what share of its way."""
    cut = int(radius if kind == "bubble" else _SIGMAS * radius)
    start, stop = max(place - cut, 0), min(place + cut + 1, side)
    away = np.arange(start, stop) - place
    share = np.ones(len(away)) if kind == "bubble" else np.exp(-0.5 * np.square(away / radius))
    return slice(start, stop), share


def _sample(rows: FloatArray, side: int, rng: np.random.Generator) -> FloatArray:
    return rows[rng.choice(len(rows), side * side)].reshape(side, side, -1)


def _plane(rows: FloatArray, side: int) -> FloatArray:
    """A grid (S, S, F) on the plane of the first two principal components, one deviation wide."""
    exact = rows.astype(np.float64)
    variances, components = np.linalg.eigh(exact.T @ exact / len(exact))
    # Ascending. Of a single feature there is one axis, and of rows all alike, rounding may be left.
    axes = (np.sqrt(np.maximum(variances, 0.0)) * components)[:, :-3:-1]
    return ((2.0 * grid(side) - 1.0)[:, : axes.shape[1]] @ axes.T).reshape(side, side, -1)
