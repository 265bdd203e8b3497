"""Training of self-organising maps (Kohonen 2001), row by row as in Chen et al. (2020).

Axes: N rows, F features, S x S nodes of a map.

Why not a library: MiniSom takes several times as long for maps that are no better, and for their
winners. Training by batches takes as long as this and makes finer maps. But their neighbours are no
closer than with a Gaussian neighbourhood here, and DAGMM sees nothing but places of winners. So
this is the paper's way. ``python -m benchmarks.som`` measures all three.
"""

import math

import numpy as np

from aegmm_detect._lazy import lazy_names
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.numerics.som import grid, merge_close
from aegmm_detect.types import FloatArray, MapInit, Neighbourhood

_MOST_SIDE = 32  # the paper's
_SIGMAS = 3.0  # of a Gaussian: farther nodes would move less than 1 % of what the winner does


def default_side(n_rows: int) -> int:
    """Nodes along a side for `n_rows` training rows: sqrt(5 sqrt(n)) / 2, from 2 to 32.

    This is half the side of Vesanto's rule of 5 sqrt(n) nodes, as Chen et al. are quoted.
    """
    return min(max(round(math.sqrt(5.0 * math.sqrt(n_rows)) / 2.0), 2), _MOST_SIDE)


def trained_map(
    X: FloatArray,
    side: int,
    seed: int | np.random.SeedSequence,
    *,
    n_steps: int,
    learning_rate: float,
    radius: float | None,
    neighbourhood: Neighbourhood,
    init: MapInit,
) -> FloatArray:
    """Train one map.

    ``training.maps.train_map`` has defaults for the settings, and checks them.

    Parameters
    ----------
    X
        Prepared rows, (N, F).
    side
        Nodes along either axis, 2 or more; `default_side` has a rule.
    seed
        The same seed and rows make the same map.
    n_steps
        Number of steps, 1 or more. Each step moves the map towards one random row.
    learning_rate
        Share of the way to the row by which the winner moves, above 0 and at most 1. It shrinks
        linearly to 0 during training.
    radius
        Radius of the neighbourhood, in nodes, which shrinks likewise. None is a quarter of the
        side.
    neighbourhood
        'bubble': all nodes within the radius move by the same share. 'gaussian': nodes far from the
        winner move less.
    init
        'sample': nodes begin as random rows. 'linear': they begin as a grid on the plane of the
        first two principal components.

    Returns
    -------
    The map, float32 (side, side, F).

    Raises
    ------
    ConfigurationError
        If `side` is not a whole number of at least 2.
    InvalidInputError
        If there are no rows, or if rows are not flat or not finite.
    """
    if not isinstance(side, (int, np.integer)) or isinstance(side, bool) or side < 2:
        raise ConfigurationError(f"side={side!r}: pass a whole number of at least 2.")
    if X.ndim != 2 or 0 in X.shape:
        raise InvalidInputError(f"A map needs rows (N, F), flattened; got shape {X.shape}.")
    rng = np.random.default_rng(seed)
    drawn = X[rng.choice(len(X), n_steps, replace=len(X) < n_steps)]
    if not np.isfinite(drawn).all():
        raise InvalidInputError("Rows to train a map on hold NaN or infinity.")
    # What all rows share would drown their differences in float32's squares.
    middle = drawn.mean(axis=0, dtype=np.float64)
    rows = (drawn - middle).astype(np.float32)
    nodes = _Nodes(_plane(rows, side) if init == "linear" else _sample(rows, side, rng))
    radius = side / 4.0 if radius is None else radius
    for i, row in enumerate(rows):
        left = 1.0 - i / len(rows)
        nodes.step(row, left * learning_rate, left * radius, neighbourhood)
    return merge_close((nodes.weights + middle).astype(np.float32))


class _Nodes:
    """A map in training.

    Parameters
    ----------
    weights
        Weights (S, S, F), float32.
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
    """Nodes along one axis that move with the one at `place`, and their shares of its move."""
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
    # In ascending order. A single feature has one axis. If all rows are the same, rounding errors
    # can make variances negative.
    axes = (np.sqrt(np.maximum(variances, 0.0)) * components)[:, :-3:-1]
    return ((2.0 * grid(side) - 1.0)[:, : axes.shape[1]] @ axes.T).reshape(side, side, -1)


_MOVED = dict.fromkeys(("train_map", "train_maps"), "aegmm_detect.training.maps")
__getattr__ = lazy_names(__name__, {}, _MOVED)[0]
