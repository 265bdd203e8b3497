"""Batch training of a self-organising map (Kohonen 2001), a contender of `benchmarks.som`."""

import numpy as np

from aegmm_detect.numerics.som import merge_close, winners
from aegmm_detect.types import FloatArray

_EPOCHS, _LAST_RADIUS = 10, 0.5


def train_by_batches(X: FloatArray, side: int, seed: int, n_rows: int, radius: float) -> FloatArray:
    """Every node becomes the mean of the rows of its neighbourhood, again and again."""
    rng = np.random.default_rng(seed)
    rows = X[rng.choice(len(X), n_rows, replace=False)]
    weights = rows[rng.choice(n_rows, side * side)].reshape(side, side, -1)
    away = np.abs(np.arange(side)[:, None] - np.arange(side))
    for share in np.linspace(0.0, 1.0, _EPOCHS):
        width = radius * (_LAST_RADIUS / radius) ** share
        near = np.exp(-0.5 * np.square(away / width)).astype(np.float32)
        won = winners(rows, weights)
        sums, counts = np.zeros_like(weights), np.bincount(won, minlength=side * side)
        order = np.argsort(won, kind="stable")
        hit, starts = np.unique(won[order], return_index=True)
        sums.reshape(side * side, -1)[hit] = np.add.reduceat(rows[order], starts, axis=0)
        # The Gaussian is a product of what it is along the axes.
        sums = np.matmul(near, (near @ sums.reshape(side, -1)).reshape(sums.shape))
        mass = near @ counts.reshape(side, side).astype(np.float32) @ near
        weights = np.where(
            mass[..., None] > 1e-3, sums / np.maximum(mass, 1e-3)[..., None], weights
        )
    return merge_close(weights)
