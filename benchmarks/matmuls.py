"""The floor: the bare matrix products of one training step, in NumPy.

No activations, loss, optimizer, shuffling or gathering; the same batch again and again, so that it
stays in the cache; every result goes into memory that is there already.
"""

import itertools

import numpy as np
from threadpoolctl import ThreadpoolController

from aegmm_detect.types import FloatArray
from benchmarks.subject import layer_shapes


class BareProducts:
    """Forward ``x @ W``, backward ``x.T @ g`` and ``g @ W.T`` of every dense layer.

    The encoder's first layer has no ``g @ W.T``: nobody asks for the gradient of the rows.

    Parameters
    ----------
    n_features, batch_size
        Shape of a batch.
    n_threads
        Of the BLAS library; None for what it chooses itself.
    """

    def __init__(self, n_features: int, batch_size: int, n_threads: int | None = None) -> None:
        rng = np.random.default_rng(0)

        def matrix(*shape: int) -> FloatArray:
            return rng.standard_normal(shape, dtype=np.float32)

        shapes = itertools.chain(*layer_shapes(n_features).values())
        self._products: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        for i, (n_in, n_out) in enumerate(shapes):
            x, g, W = matrix(batch_size, n_in), matrix(batch_size, n_out), matrix(n_in, n_out)
            self._products += [(x, W, np.empty_like(g)), (x.T, g, np.empty_like(W))]
            if i > 0:
                self._products.append((g, W.T, np.empty_like(x)))
        self._n_threads = n_threads
        # Made once: it searches all loaded libraries, which takes as long as many steps.
        self._threads = ThreadpoolController()

    def run(self, n_steps: int) -> None:
        """The products of `n_steps` steps."""
        with self._threads.limit(limits=self._n_threads, user_api="blas"):
            for _ in range(n_steps):
                for left, right, out in self._products:
                    np.matmul(left, right, out=out)
