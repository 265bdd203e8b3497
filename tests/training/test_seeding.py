"""Seeds repeat, and what belongs to the user stays as it was."""

import random

import keras
import numpy as np
import pytest

from aegmm_detect.training.seeding import python_random


def weights():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).get_weights()[0]


def test_layers_without_a_seed_repeat_and_the_generator_goes_on():
    random.seed(11)
    expected = random.random()
    random.seed(11)
    with python_random(5):
        first = weights()
    assert random.random() == expected
    with python_random(5):
        np.testing.assert_array_equal(weights(), first)
    with python_random(6):
        assert (weights() != first).any()


def test_the_generator_goes_on_after_an_error_and_without_a_seed():
    random.seed(11)
    state = random.getstate()
    with pytest.raises(KeyError), python_random(5):
        raise KeyError
    assert random.getstate() == state
    with python_random(None):
        random.random()
    assert random.getstate() != state
