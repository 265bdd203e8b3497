"""What a fit remembers of the rows that it was trained on."""

import numpy as np
import pytest

from aegmm_detect.inputs import as_rows
from aegmm_detect.training import prepare as module
from aegmm_detect.training.prepare import prepare

ROWS = np.random.default_rng(0).normal(size=(300, 4))


def seen(X, **settings):
    defaults = {"normalize": None, "nan_policy": "flag", "validation_split": 0.0, "seed": 0}
    return prepare(as_rows(X), (4,), **(defaults | settings)).trained_on


@pytest.mark.parametrize("normalize", [None, "standard", "robust"])
@pytest.mark.parametrize("X", [ROWS, ROWS.astype("f4"), lambda: np.array_split(ROWS, 7)])
def test_rows_are_known_by_what_the_user_passed_whatever_the_scaling(X, normalize):
    assert seen(X, normalize=normalize).overlap(ROWS[50:150]) == (100, 100)
    assert seen(X, normalize=normalize).overlap(ROWS + 1e-3) == (0, 300)


def test_validation_rows_are_held_out():
    n_seen, n_compared = seen(ROWS, validation_split=0.2).overlap(ROWS)
    assert (n_seen, n_compared) == (240, 300)


def test_rows_that_are_left_out_of_training_are_not_seen():
    X = ROWS.copy()
    X[5, 1] = np.nan
    assert len(seen(X).hashes) == 299


def test_rows_in_chunks_are_all_seen(monkeypatch):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 64)
    assert seen(ROWS).overlap(ROWS) == (300, 300)
    assert seen(ROWS, validation_split=0.5).overlap(ROWS) == (150, 300)


def test_rows_that_the_weights_knew_before_stay_known():
    before = seen(ROWS[:200])
    for X in (ROWS[200:], lambda: [ROWS[200:]]):
        assert seen(X, trained_on=before).overlap(ROWS) == (300, 300)
