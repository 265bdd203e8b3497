"""Self-organising maps: rows -> their place on a plane, where neighbours stay neighbours.

Kohonen (2001); with DAGMM: Chen et al. (2020), arXiv 2008.12686. The winner of a row is the node
nearest to it. DAGMM appends the winner's place to the code and the reconstruction features.

Axes: N rows, F features, K = S * S nodes of a map. A map is the array of its weights, float32
(S, S, F); ``som_training`` trains it. This module is in NumPy; ``nets.som`` is the same as a layer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.types import FloatArray, IntArray

_CHUNK = 4096  # rows: 16 MB of distances to 1024 nodes
# Least distance of two nodes, relative to their distance from the middle, for float32 to tell which
# of them is nearer to a row. Half its square is some 40 roundings.
_APART = 3e-3
_NEVER = -3e38  # bias of a node that must not win; finite, as some runtimes know no infinity


class NearestNode(NamedTuple):
    """Parameters for finding winners by one matrix product.

    The winner is the argmax over the nodes of (x - centre) @ kernel + bias. This is the argmin of
    the squared distance, because ||x||^2 is the same for all nodes.
    """

    centre: FloatArray  # (F,)    what the nodes share would drown their differences
    kernel: FloatArray  # (F, K)
    bias: FloatArray  # (K,)


def nearest_node(weights: FloatArray) -> NearestNode:
    """Parameters for a map (S, S, F), float32. Of equal nodes, only the first can win."""
    nodes = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    centre = np.median(nodes, axis=0).astype(np.float32)
    kernel = (nodes - centre).astype(np.float32).T
    bias = np.full(len(nodes), _NEVER)
    # A product need not round alike for equal columns, so a tie is not left to it.
    first = np.unique(nodes, axis=0, return_index=True)[1]
    bias[first] = -0.5 * np.square(kernel, dtype=np.float64).sum(axis=0)[first]
    return NearestNode(centre, np.ascontiguousarray(kernel), bias.astype(np.float32))


def merge_close(weights: FloatArray) -> FloatArray:
    """The map (S, S, F) with nodes made equal where float32 cannot tell which is nearer.

    A map gives many nodes to rows that repeat. If these nodes differed by a rounding error, another
    batch size or another runtime would find another winner.
    """
    nodes = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    around = nodes - np.median(nodes, axis=0)
    size = np.linalg.norm(around, axis=1)
    close = euclidean_distances(around) < _APART * np.maximum(size, size[:, None])
    equal_to = np.arange(len(nodes))
    for node, near in enumerate(close):
        if equal_to[node] == node:
            # Only nodes that are free and come later: what is equal to another stays so.
            later = near & (equal_to > node) & (equal_to == np.arange(len(nodes)))
            equal_to[later] = node
    return nodes[equal_to].astype(np.float32).reshape(weights.shape)


def winners(X: FloatArray, weights: FloatArray) -> IntArray:
    """Number of the node nearest to each row, (N, F), (S, S, F) -> (N,); nodes in C order.

    Raises
    ------
    InvalidInputError
        If `X` has another number of features than the map.
    """
    if X.ndim != 2 or X.shape[1] != weights.shape[-1]:
        raise InvalidInputError(
            f"The map is of flattened rows (N, {weights.shape[-1]}); got shape {X.shape}."
        )
    centre, kernel, bias = nearest_node(weights)
    found = np.empty(len(X), dtype=np.int64)
    for start in range(0, len(X), _CHUNK):
        rows = X[start : start + _CHUNK].astype(np.float32, copy=False) - centre
        found[start : start + _CHUNK] = np.argmax(rows @ kernel + bias, axis=1)
    return found


def grid(side: int) -> FloatArray:
    """Coordinates of the nodes in [0, 1], in C order: float32 (S * S, 2)."""
    places = np.linspace(0.0, 1.0, side, dtype=np.float32)
    return np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 2)


def winner_coordinates(X: FloatArray, maps: Sequence[FloatArray]) -> FloatArray:
    """Coordinates of each row's winner on each map, (N, F) -> float32 (N, 2 * maps) in [0, 1].

    Raises
    ------
    InvalidInputError
        As `winners`.
    """
    return np.concatenate([grid(len(each))[winners(X, each)] for each in maps], axis=1)


def quantisation_error(X: FloatArray, weights: FloatArray) -> float:
    """Mean distance of rows (N, F) to their winners on a map (S, S, F).

    Raises
    ------
    InvalidInputError
        As `winners`.
    """
    nodes = weights.reshape(-1, weights.shape[-1])
    return float(np.linalg.norm(X - nodes[winners(X, weights)], axis=1).mean())
