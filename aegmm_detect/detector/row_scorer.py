"""Run a score over rows so that no row's score depends on its neighbours.

Matrix products round differently for different numbers of rows. So every row goes through the
same program at the same shape: a tile of rows, filled up where rows are missing. A longer batch
is a loop over tiles inside one compiled program, which gives the same bits.
"""

import concurrent.futures
import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from aegmm_detect.programs.pure import NetProgram, PureFunction
from aegmm_detect.programs.tracing import SCORING
from aegmm_detect.sizes import how_many_fit
from aegmm_detect.types import FloatArray, Tensor

# Small enough that one row alone is quick, large enough for the nets to be busy.
TILE = 64
# Tiles per call of the long program; fewer of wide rows.
_LONG = 64
# Rows from which compiling the long program (1-2 s, once) is worth it.
_LONG_PAYS_FROM_ROWS = 8192
# Each worker runs a single-threaded program; one more than cores, as they also wait for Python.
_WORKERS = min(8, (os.cpu_count() or 1) + 1)


class RowScorer:
    """Raw rows (N, ...) -> scores (N,) float32.

    Parameters
    ----------
    net, function, parameters
        Function of (net, parameters, tile of raw rows) -> scores.
    row_dtype
        Of the rows that it takes.
    eager
        Run it uncompiled, for feature functions that no compiled graph can hold.
    """

    def __init__(
        self,
        net: keras.Model,
        function: PureFunction,
        parameters: Any,
        row_dtype: str,
        eager: bool = False,
    ) -> None:
        tiled = PureFunction(_Tiled(function), ("tiled", TILE, function.key))
        self._program = NetProgram(net, tiled, parameters, "eager" if eager else SCORING["mode"])
        self._row_dtype = row_dtype

    def __call__(self, batch: FloatArray) -> FloatArray:
        """Scores of checked rows."""
        n_tiles = self._tiles_per_call(batch)
        starts = range(0, len(batch), TILE * n_tiles)
        out = np.empty(len(batch), dtype=np.float32)
        if n_tiles == 1:
            for start in starts:
                self._score_span(batch, start, n_tiles, out)
            return out
        with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
            spans = [pool.submit(self._score_span, batch, s, n_tiles, out) for s in starts]
            for span in spans:
                span.result()
        return out

    def is_current(self) -> bool:
        """Whether the net has the weights that this scores by."""
        return self._program.is_current()

    def _tiles_per_call(self, batch: FloatArray) -> int:
        if len(batch) < _LONG_PAYS_FROM_ROWS:
            return 1
        return how_many_fit((TILE, *batch.shape[1:]), _LONG, item_bytes=8)

    def _score_span(self, batch: FloatArray, start: int, n_tiles: int, out: FloatArray) -> None:
        rows = batch[start : start + TILE * n_tiles]
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and scores NaN
            filled = np.ascontiguousarray(rows, dtype=self._row_dtype)
        if len(rows) < TILE * n_tiles:
            missing = np.zeros((TILE * n_tiles - len(rows), *rows.shape[1:]), dtype=filled.dtype)
            filled = np.concatenate([filled, missing])
        tiles = filled.reshape(n_tiles, TILE, *rows.shape[1:])
        # As an argument: XLA would unroll the loop of the one-tile program if it knew the number,
        # and fuse and round it in another way than the long one's.
        scores = self._program(tiles, np.array(n_tiles, dtype=np.int32), exact=True)
        out[start : start + len(rows)] = np.asarray(scores).reshape(-1)[: len(rows)]


class _Tiled:
    """A function of a tile of rows, over several tiles."""

    def __init__(self, function: PureFunction) -> None:
        self._apply = function.apply

    def __call__(self, net: keras.Model, parameters: Any, tiles: Tensor, n_tiles: Tensor) -> Tensor:
        def body(i: Tensor, scores: Any) -> tuple[Tensor, Any]:
            return i + 1, scores.write(i, self._apply(net, parameters, tiles[i]))

        scores = tf.TensorArray("float32", tiles.shape[0], element_shape=(TILE,))
        start = (tf.constant(0), scores)
        _, scores = tf.while_loop(lambda i, _: i < n_tiles, body, start, parallel_iterations=1)
        return scores.stack()
