"""Scores of several detectors as one answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics.density import Scale
from aegmm_detect.per_class.votes import on_one_scale, votes, votes_needed

SCORES = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")


def test_on_one_scale_every_class_has_the_same_quartiles():
    stretched = SCORES * np.array([1.0, 10.0, 0.1, 5.0]) + np.array([0.0, 3.0, -2.0, 7.0])
    scaled = on_one_scale(stretched, Scale.robust(stretched.T))
    low, middle, high = np.percentile(scaled, [25, 50, 75], axis=0)
    np.testing.assert_allclose(middle, 0.0, atol=1e-9)
    np.testing.assert_allclose(high - low, 1.0, rtol=1e-9)


def test_nan_has_all_votes():
    thresholds = np.array([-np.inf, 0.0, 1.0, np.inf])
    scores = np.array([[0.0, 0.0, 0.0, 0.0], [np.nan] * 4, [2.0] * 4])
    assert votes(scores, thresholds).tolist() == [1, 4, 3]


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.permutations(range(4)))
def test_votes_do_not_depend_on_the_order_of_classes_and_fall_with_thresholds(limits, order):
    thresholds = np.array(limits)
    found = votes(SCORES, thresholds)
    np.testing.assert_array_equal(found, votes(SCORES[:, order], thresholds[list(order)]))
    assert (votes(SCORES, thresholds + 0.5) <= found).all()


@given(st.integers(1, 30), st.data())
def test_a_count_is_itself_and_a_share_is_rounded_up(n_classes, data):
    count = data.draw(st.integers(1, n_classes))
    assert votes_needed(count, n_classes) == count
    assert votes_needed(count / n_classes, n_classes) == count
    share = data.draw(st.floats(1e-3, 1.0))
    needed = votes_needed(share, n_classes)
    assert 1 <= needed <= n_classes
    assert needed >= share * n_classes - 1e-6
    assert needed == 1 or needed - 1 < share * n_classes


@pytest.mark.parametrize("wrong", [0, 5, -1, 0.0, 1.5, "2", None, True, [1]])
def test_what_no_number_of_classes_reaches_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="from 1 to 4"):
        votes_needed(wrong, 4)
