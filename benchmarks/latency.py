"""How long does one row take, and how much of that is TensorFlow's own way in and out?

Calls of all contenders alternate one by one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.eager import EagerScorer
from benchmarks.protocol import OURS, Sizes, Turns, raw, say
from benchmarks.subject import fitted_detector, make_rows

EAGER_EVERY = 10  # an eager pass takes as long as dozens of calls


def measure(n_features: int, sizes: Sizes) -> dict[str, Any]:
    """One width of rows."""
    say(f"latency: {n_features} features")
    row = make_rows(1, n_features, seed=1)
    detector = fitted_detector(n_features)
    eager = EagerScorer(detector.net.encoder, detector.net.decoder, detector.mixture)
    tensor = tf.constant(row)
    no_op = tf.function(lambda x: x, autograph=False)
    calls: dict[str, Callable[[], object]] = {
        f"{OURS} score": lambda: detector.score(row),
        f"{OURS} predict": lambda: detector.predict(row),
        "no-op tf.function": lambda: no_op(tensor),
        "no-op XLA program, NumPy in and out": _xla_no_op(row),
        "eager pass": lambda: eager(row),
    }
    turns = {name: Turns(1) for name in calls}
    for call in calls.values():
        call()
    for i in range(sizes.latency_calls):
        for name, call in calls.items():
            if name != "eager pass" or i % EAGER_EVERY == 0:
                turns[name].take(call)
    return {
        "features": n_features,
        "median_seconds": {name: t.each for name, t in turns.items()},
        "p95_seconds": {name: float(np.percentile(t.seconds, 95)) for name, t in turns.items()},
        "turns": raw(turns),
    }


def _xla_no_op(row: np.ndarray) -> Callable[[], object]:
    """An empty program called as the scorer calls its own, on a tile of as many rows."""
    tile = np.repeat(row, 64, axis=0)
    program = tf.function(lambda x: x[:, 0], autograph=False, jit_compile=True)
    concrete = program.get_concrete_function(tf.TensorSpec(tile.shape, tile.dtype))
    return lambda: np.asarray(concrete(tf.constant(tile)))


def run(sizes: Sizes) -> list[dict[str, Any]]:
    """All widths."""
    return [measure(n_features, sizes) for n_features in sizes.features]
