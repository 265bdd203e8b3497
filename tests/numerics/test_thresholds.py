import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.numerics.thresholds import percentile

bounded = settings(max_examples=100, deadline=None)
scores = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50)
percents = st.floats(0, 100)


@given(scores=scores, perc=percents)
@bounded
def test_the_share_of_scores_below_is_the_percentage(scores, perc):
    """To within one score: between two scores every threshold has the same share below it."""
    threshold = percentile(np.array(scores), perc)
    assert type(threshold) is float
    below = np.sum(np.array(scores) < threshold)
    at_most = np.sum(np.array(scores) <= threshold)
    wanted = perc / 100 * (len(scores) - 1)
    assert below <= wanted + 1 + 1e-6
    assert at_most >= wanted - 1e-6


@given(scores=scores, perc=percents, other=percents)
@bounded
def test_a_larger_percentage_never_lowers_the_threshold(scores, perc, other):
    low, high = sorted([perc, other])
    assert percentile(scores, low) <= percentile(scores, high)


@given(scores=scores, perc=percents, data=st.data())
@bounded
def test_the_order_of_scores_means_nothing(scores, perc, data):
    assert percentile(scores, perc) == percentile(data.draw(st.permutations(scores)), perc)


@given(scores=scores)
@bounded
def test_the_ends_are_the_extreme_scores(scores):
    assert percentile(scores, 0) == min(scores)
    assert percentile(scores, 100) == max(scores)


@given(n=st.integers(1, 50), n_outliers=st.integers(1, 50))
@bounded
def test_a_mixed_batch_is_separated_at_its_share_of_normal_rows(n, n_outliers):
    scores = np.r_[np.arange(n), 1000.0 + np.arange(n_outliers)].astype("float32")
    threshold = percentile(scores, 100 * n / (n + n_outliers))
    flagged = scores > threshold
    assert flagged[n + 1 :].all()  # the first outlier may be the threshold itself
    assert not flagged[:n].any()


@pytest.mark.parametrize(
    "perc", [-0.1, 100.1, float("nan"), float("inf"), "95", "high", b"95", None, [95.0, 99.0], 1j]
)
def test_an_impossible_percentage_is_refused(perc):
    with pytest.raises(
        ConfigurationError, match=r"threshold_perc=.*: pass a number from 0 to 100, such as 95"
    ):
        percentile(np.arange(3.0), perc)


@pytest.mark.parametrize("perc", [90, np.float32(90), np.int8(90), np.array(90.0)])
def test_any_kind_of_number_is_a_percentage(perc):
    assert percentile(np.arange(101.0), perc) == 90.0
