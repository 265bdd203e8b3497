"""Run a scoring graph over rows so that no row's score depends on its neighbours.

Matrix products round differently for different numbers of rows. So every row goes through the
same program at the same shape: a tile of rows, filled up where rows are missing. A longer batch
is a loop over tiles inside one compiled program, which gives the same bits.
"""

import concurrent.futures
import functools
import os
import threading
from typing import Any

import numpy as np
import tensorflow as tf

from aegmm_detect.nets.scoring import ScoringGraph
from aegmm_detect.training.processes import check_process
from aegmm_detect.training.tracing import Mode, device_of, first_call
from aegmm_detect.types import FloatArray, Tensor

# Small enough that one row alone is quick, large enough for the nets to be busy.
TILE = 64
# Tiles per call of the long program, and the memory they may take: fewer of wide rows.
_LONG = 64
_LONG_BYTES = 8 * 2**20
# Rows from which compiling the long program (1-2 s, once) is worth it.
_LONG_PAYS_FROM_ROWS = 8192
# Each worker runs a single-threaded program; more of them than cores only wait.
_WORKERS = min(8, os.cpu_count() or 1)


class RowScorer:
    """Cached compiled scorer: raw rows (N, ...) -> scores (N,) float32.

    Parameters
    ----------
    graph
        Tile of raw rows -> scores.
    eager
        Run `graph` uncompiled, for feature functions that no compiled graph can hold.
    """

    def __init__(self, graph: ScoringGraph, eager: bool = False) -> None:
        self._graph = graph
        self._device = device_of(graph)
        self._mode: Mode = "eager" if eager else "xla"
        self._programs: dict[int, Any] = {}  # by number of tiles
        self._compiling = threading.Lock()

    def __call__(self, batch: FloatArray) -> FloatArray:
        """Scores of checked rows."""
        check_process()
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

    def _tiles_per_call(self, batch: FloatArray) -> int:
        if len(batch) < _LONG_PAYS_FROM_ROWS:
            return 1
        return int(np.clip(_LONG_BYTES // (TILE * batch[:1].size * 8), 1, _LONG))

    def _score_span(self, batch: FloatArray, start: int, n_tiles: int, out: FloatArray) -> None:
        rows = batch[start : start + TILE * n_tiles]
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and scores NaN
            filled = np.ascontiguousarray(rows, dtype=self._graph.row_dtype)
        if len(rows) < TILE * n_tiles:
            missing = np.zeros((TILE * n_tiles - len(rows), *rows.shape[1:]), dtype=filled.dtype)
            filled = np.concatenate([filled, missing])
        tiles = filled.reshape(n_tiles, TILE, *rows.shape[1:])
        out[start : start + len(rows)] = self._run(tiles).reshape(-1)[: len(rows)]

    def _run(self, tiles: FloatArray) -> FloatArray:
        with tf.device(self._device):
            if self._mode == "eager":
                return np.stack([np.asarray(self._graph(tf.constant(tile))) for tile in tiles])
            program = self._programs.get(len(tiles)) or self._compile(tiles)
            return np.asarray(program(tf.constant(tiles)))

    def _compile(self, tiles: FloatArray) -> Any:
        with self._compiling:  # servers score from many threads
            if len(tiles) not in self._programs:
                trace = functools.partial(self._trace, tiles)
                _, program, mode = first_call(trace, self._mode, tf.constant(tiles))
                if mode != self._mode:
                    # One mode for all lengths, or they would not agree to the last bit.
                    self._mode = mode
                    self._programs.clear()
                self._programs[len(tiles)] = program
            return self._programs[len(tiles)]

    def _trace(self, tiles: FloatArray, mode: Mode) -> Any:
        # A captured tensor, not a number: XLA would unroll the loop of the one-tile program, and
        # fuse and round it in another way than the long one's.
        n_tiles = tf.constant(len(tiles))

        def score_tiles(data: Tensor) -> Tensor:
            def body(i: Tensor, scores: Any) -> tuple[Tensor, Any]:
                return i + 1, scores.write(i, self._graph(data[i]))

            scores = tf.TensorArray("float32", len(tiles), element_shape=(TILE,))
            start = (tf.constant(0), scores)
            _, scores = tf.while_loop(lambda i, _: i < n_tiles, body, start, parallel_iterations=1)
            return scores.stack()

        function = tf.function(score_tiles, autograph=False, jit_compile=mode == "xla")
        # A concrete function skips the search for the right trace, a third of a one-row call.
        return function.get_concrete_function(tf.TensorSpec(tiles.shape, tiles.dtype))
