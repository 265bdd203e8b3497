"""Make a fit repeatable: one seed for shuffling and for every random layer."""

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
