"""How many rows a second does training take in?

The package runs one `fit` of many epochs. After each epoch, off its clock, the eager loop and the
matrix products take their turns. The first epoch, which compiles, is kept apart.
"""

import time
from collections.abc import Callable
from typing import Any

import keras

from benchmarks.eager import EagerLoop
from benchmarks.matmuls import BareProducts
from benchmarks.protocol import OURS, Sizes, Turns, ratio, raw, say
from benchmarks.subject import build_detector, build_nets, make_rows

WARM_UP_STEPS = 3


class TurnsBetweenEpochs(keras.callbacks.Callback):
    """Takes the time of every epoch, and gives the others their turns between two of them."""

    def __init__(self, others: Callable[[], None]) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._others = others
        self._resumed = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        self._resumed = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self._resumed)
        if epoch > 0:
            self._others()
        self._resumed = time.perf_counter()


def measure(n_features: int, batch_size: int, n_rows: int, sizes: Sizes) -> dict[str, Any]:
    """One shape of data."""
    say(f"train: {n_features} features, batches of {batch_size}")
    rows = make_rows(n_rows, n_features)
    eager = EagerLoop(build_nets(n_features), rows, batch_size)
    products = {
        "matmuls": BareProducts(n_features, batch_size),
        "matmuls_one_thread": BareProducts(n_features, batch_size, n_threads=1),
    }
    matmul_steps = -(-sizes.matmul_rows // batch_size)
    turns = {
        OURS: Turns(-(-n_rows // batch_size)),
        "eager": Turns(sizes.eager_steps),
        **{name: Turns(matmul_steps) for name in products},
    }

    def others() -> None:
        turns["eager"].take(lambda: eager.run(sizes.eager_steps))
        for name, product in products.items():
            turns[name].take(lambda product=product: product.run(matmul_steps))

    eager.run(WARM_UP_STEPS)
    for product in products.values():
        product.run(WARM_UP_STEPS)
    clock = TurnsBetweenEpochs(others)
    build_detector(n_features).fit(
        rows,
        epochs=sizes.rounds + 1,
        batch_size=batch_size,
        jit_compile=sizes.jit_compile,
        verbose=0,
        callbacks=[clock],
        seed=0,
    )
    first_epoch, *turns[OURS].seconds = clock.seconds
    floor = min(products, key=lambda name: turns[name].each)
    return {
        "features": n_features,
        "batch_size": batch_size,
        "rows": n_rows,
        "step_seconds": {name: t.each for name, t in turns.items()},
        "rows_per_second": {name: batch_size / t.each for name, t in turns.items()},
        "times_the_eager_loop": ratio(turns["eager"], turns[OURS]),
        "steps_in_matmul_times": ratio(turns[OURS], turns[floor]),
        "faster_matmuls": floor,
        "first_epoch_seconds": first_epoch,
        "turns": raw(turns),
    }


def run(sizes: Sizes) -> list[dict[str, Any]]:
    """All shapes."""
    return [
        measure(n_features, batch_size, n_rows, sizes)
        for n_features in sizes.features
        for batch_size, n_rows in sizes.epoch_rows
    ]
