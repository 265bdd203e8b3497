"""How long a fit trains: the numbers that were asked for, in equal epochs."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.training.length import MIN_STEPS_PER_EPOCH, length_of_fit

bounded = settings(max_examples=200)
ROWS = {"n_rows": st.integers(2, 100_000), "batch_size": st.integers(2, 2_000)}


def one_pass(n_rows, batch_size):
    return math.ceil(n_rows / min(batch_size, n_rows))


@given(epochs=st.integers(1, 100), **ROWS)
@bounded
def test_epochs_are_passes_over_the_rows(epochs, n_rows, batch_size):
    length = length_of_fit(FitConfig(epochs=epochs, batch_size=batch_size), n_rows)
    assert (length.epochs, length.steps) == (epochs, one_pass(n_rows, batch_size))


@given(n_steps=st.integers(1, 20_000), max_passes=st.none() | st.integers(1, 50), **ROWS)
@bounded
def test_steps_are_as_many_as_asked_for_but_for_equal_epochs(
    n_steps, max_passes, n_rows, batch_size
):
    config = FitConfig(n_steps=n_steps, max_passes=max_passes, batch_size=batch_size)
    length = length_of_fit(config, n_rows)
    a_pass = one_pass(n_rows, batch_size)
    most = math.inf if max_passes is None else max_passes * a_pass
    assert 0 <= length.total_steps - min(n_steps, most) < length.epochs
    # Near a pass, or near what an epoch must have to be worth its cost.
    if length.epochs > 1:
        assert 2 / 3 <= length.steps / max(a_pass, MIN_STEPS_PER_EPOCH) <= 4 / 3
