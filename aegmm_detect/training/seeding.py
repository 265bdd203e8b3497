"""Make a fit repeatable: one seed for shuffling and for every random layer."""

import contextlib
import random
from collections.abc import Iterator

import keras
import numpy as np


def seed_random_layers(net: keras.Model, seed: int) -> None:
    """Restart every `SeedGenerator` of `net` (Dropout keeps one) from `seed`.

    Keras fixes their states when a layer is made and saves them nowhere.
    """
    states = [v for v in net.non_trainable_variables if v.path.endswith("seed_generator_state")]
    sequence = np.random.SeedSequence(seed)
    for state, child in zip(states, sequence.spawn(len(states)), strict=True):
        state.assign(child.generate_state(int(np.prod(state.shape))).reshape(state.shape))


@contextlib.contextmanager
def python_random(seed: int | None) -> Iterator[None]:
    """Seed the generator from which Keras draws the seeds of layers that have none."""
    if seed is None:
        yield
        return
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
