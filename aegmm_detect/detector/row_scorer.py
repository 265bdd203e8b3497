"""Compute scores so that a row's score does not depend on the other rows of its batch.

Matrix products round differently for different numbers of rows. So every row goes through the
same program at the same shape: a tile of rows, padded with zeros if rows are missing. A longer
batch runs as a loop over tiles inside one compiled program, which gives the same bits.
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

# Rows per tile: small enough to score one row quickly, large enough to use the hardware well.
TILE = 64
# Tiles per call of the long program; fewer if rows are wide.
_LONG = 64
# For batches of at least this many rows, compiling the long program (1-2 s, once) is worth it.
_LONG_PAYS_FROM_ROWS = 8192
# Threads that score. Each runs a single-threaded program. One more than there are cores, because
# threads also wait for Python.
_WORKERS = min(8, (os.cpu_count() or 1) + 1)


class RowScorer:
    """Compiled function: raw rows (N, ...) -> scores (N,) float32.

    Parameters
    ----------
    net, function, parameters
        `function` takes (net, parameters, tile of raw rows) and returns scores.
    row_dtype
        Dtype to which rows are cast before the call.
    eager
        Run without compiling, for feature functions that cannot run in a graph.
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
        """Whether the net still has the weights that these scores use."""
        return self._program.is_current()

    def _tiles_per_call(self, batch: FloatArray) -> int:
        if len(batch) < _LONG_PAYS_FROM_ROWS:
            return 1
        return how_many_fit((TILE, *batch.shape[1:]), _LONG, item_bytes=8)

    def _score_span(self, batch: FloatArray, start: int, n_tiles: int, out: FloatArray) -> None:
        rows = batch[start : start + TILE * n_tiles]
        with np.errstate(over="ignore"):  # values beyond float32 become infinite and score NaN
            filled = np.ascontiguousarray(rows, dtype=self._row_dtype)
        if len(rows) < TILE * n_tiles:
            missing = np.zeros((TILE * n_tiles - len(rows), *rows.shape[1:]), dtype=filled.dtype)
            filled = np.concatenate([filled, missing])
        tiles = filled.reshape(n_tiles, TILE, *rows.shape[1:])
        # Pass the number of tiles as an argument. If XLA knew it, it would unroll the loop of the
        # one-tile program, and its fused operations would round differently from the long one's.
        scores = self._program(tiles, np.array(n_tiles, dtype=np.int32), exact=True)
        out[start : start + len(rows)] = np.asarray(scores).reshape(-1)[: len(rows)]


class _Tiled:
    """Applies a function of one tile to several tiles in a loop."""

    def __init__(self, function: PureFunction) -> None:
        self._apply = function.apply

    def __call__(self, net: keras.Model, parameters: Any, tiles: Tensor, n_tiles: Tensor) -> Tensor:
        def body(i: Tensor, scores: Any) -> tuple[Tensor, Any]:
            return i + 1, scores.write(i, self._apply(net, parameters, tiles[i]))

        scores = tf.TensorArray("float32", tiles.shape[0], element_shape=(TILE,))
        start = (tf.constant(0), scores)
        _, scores = tf.while_loop(lambda i, _: i < n_tiles, body, start, parallel_iterations=1)
        return scores.stack()
