import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.calibration import Calibration
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.numerics.thresholds import conformal

bounded = settings(max_examples=100)
score = st.one_of(st.integers(-3, 3).map(float), st.floats(-100, 100, width=32))
some = st.lists(score, min_size=1, max_size=40).map(lambda values: np.array(values, "float32"))
rates = st.sampled_from([0.01, 0.05, 0.1, 0.2, 0.29, 0.5, 0.9])


@given(calibration=some, new=some)
@bounded
def test_a_p_value_counts_the_calibration_rows_that_are_as_strange(calibration, new):
    p = Calibration(calibration).p_values(new)
    n = len(calibration)
    np.testing.assert_allclose(p, [(1 + np.sum(calibration >= s)) / (n + 1) for s in new])
    assert ((p > 0) & (p <= 1)).all()
    order = np.argsort(new)
    assert (np.diff(p[order]) <= 0).all()


@given(calibration=some, new=some, rate=rates)
@bounded
def test_p_values_and_the_conformal_threshold_decide_alike(calibration, new, rate):
    if (len(calibration) + 1) * rate < 1:
        return
    p = Calibration(calibration).p_values(new)
    np.testing.assert_array_equal(new > conformal(calibration, rate), p <= rate + 1e-12)


def test_p_values_of_inliers_are_uniform():
    """P(p <= a) is floor((n + 1) a) / (n + 1) for scores without ties, and never more."""
    rng = np.random.default_rng(0)
    n, runs = 99, 4000
    p = np.array(
        [Calibration(rng.gumbel(size=n)).p_values(rng.gumbel(size=1)) for _ in range(runs)]
    )
    for a in (0.01, 0.05, 0.1, 0.5, 0.9):
        assert abs(np.mean(p <= a + 1e-12) - a) < 4 * np.sqrt(a * (1 - a) / runs)


def test_scores_that_tie_make_p_values_larger_not_wrong():
    rng = np.random.default_rng(0)
    p = [
        Calibration(rng.poisson(2.0, size=99).astype(float)).p_values(rng.poisson(2.0, size=1))
        for _ in range(4000)
    ]
    for a in (0.01, 0.05, 0.1, 0.5):
        assert np.mean(np.array(p) <= a) < a + 3 * np.sqrt(a * (1 - a) / 4000)


def brute_force(p, fdr):
    """Benjamini and Hochberg by their definition."""
    ordered = np.sort(p)
    limits = fdr * np.arange(1, len(p) + 1) / len(p)
    good = np.flatnonzero(ordered <= limits * (1 + 1e-12))
    return p <= ordered[good[-1]] if len(good) else np.zeros(len(p), dtype=bool)


@given(calibration=some, new=some, fdr=rates)
@bounded
def test_discoveries_are_those_of_the_definition(calibration, new, fdr):
    yardstick = Calibration(calibration)
    np.testing.assert_array_equal(
        yardstick.discoveries(new, fdr), brute_force(yardstick.p_values(new), fdr)
    )


@given(calibration=some, new=some, data=st.data())
@bounded
def test_discoveries_follow_the_scores_and_the_rate(calibration, new, data):
    yardstick = Calibration(calibration)
    few, many = yardstick.discoveries(new, 0.1), yardstick.discoveries(new, 0.4)
    assert (few <= many).all()
    if many.any():
        assert many[new >= new[many].min()].all()
    order = np.array(data.draw(st.permutations(range(len(new)))))
    np.testing.assert_array_equal(yardstick.discoveries(new[order], 0.4), many[order])


@pytest.mark.parametrize("n_outliers", [0, 10, 50])
def test_the_rate_of_false_discoveries_is_held(n_outliers):
    """(Share of inliers in the batch) times the rate, on average, and power besides."""
    rng = np.random.default_rng(0)
    fdr, false, found = 0.2, [], []
    for _ in range(400):
        yardstick = Calibration(rng.normal(size=1000))
        batch = np.r_[rng.normal(size=100), rng.normal(4.0, 1.0, size=n_outliers)]
        flagged = yardstick.discoveries(batch, fdr)
        false.append(flagged[:100].sum() / max(flagged.sum(), 1))
        found.append(flagged[100:].mean() if n_outliers else 1.0)
    assert np.mean(false) < fdr + 3 * np.std(false) / np.sqrt(400)
    assert np.mean(found) > 0.8


def test_rows_without_a_score_are_outliers_and_help_no_other_row():
    yardstick = Calibration(np.random.default_rng(0).normal(size=99))
    scores = np.array([3.0, 0.0, 0.1, 0.2, -0.5], dtype="float32")
    broken = np.r_[scores, np.full(50, np.nan, dtype="float32")]
    np.testing.assert_array_equal(yardstick.p_values(broken)[5:], np.full(50, 0.01))
    flagged = yardstick.discoveries(broken, 0.05)
    assert flagged[5:].all()
    np.testing.assert_array_equal(flagged[:5], yardstick.discoveries(scores, 0.05))
    assert yardstick.discoveries(broken[5:], 0.05).all()
    assert yardstick.discoveries(broken[:0], 0.05).shape == (0,)


def test_a_rate_that_no_batch_can_reach_is_logged_with_the_rows_needed(caplog):
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        assert not Calibration(np.arange(18.0)).discoveries(np.full(7, 999.0), 0.05).any()
    assert "at least 19 rows, and on 139 to find a single outlier among 7" in caplog.text
    caplog.clear()
    assert Calibration(np.arange(19.0)).discoveries(np.full(7, 999.0), 0.05).all()
    lone = np.r_[np.zeros(6), 999.0]
    assert Calibration(np.arange(139.0)).discoveries(lone, 0.05).tolist() == [False] * 6 + [True]
    assert not caplog.records


def test_rows_beyond_calibration_that_are_still_no_outliers_are_logged(caplog):
    new = np.r_[np.zeros(97), np.full(3, 999.0)]
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        assert not Calibration(np.arange(99.0)).discoveries(new, 0.1).any()
    assert "3 of 100 rows score higher than all 99" in caplog.text
    assert "it takes 10 such rows" in caplog.text
    assert "at least 333 rows to find 3" in caplog.text
    caplog.clear()
    # What the message says is true.
    assert Calibration(np.arange(333.0)).discoveries(new, 0.1).sum() == 3
    assert Calibration(np.arange(99.0)).discoveries(np.r_[new[7:], [999.0] * 7], 0.1).sum() == 10
    # Nothing strange, nothing said.
    assert not Calibration(np.arange(99.0)).discoveries(np.zeros(100), 0.1).any()
    assert not caplog.records


def test_scores_are_sorted_read_only_and_the_callers_own_stay():
    scores = np.array([3.0, 1.0, 2.0], dtype="float32")
    yardstick = Calibration(scores)
    assert yardstick.scores.tolist() == [1.0, 2.0, 3.0]
    assert yardstick.n == 3
    assert scores.tolist() == [3.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        yardstick.scores[0] = 0.0
    np.testing.assert_array_equal(Calibration(yardstick.scores).scores, yardstick.scores)


@pytest.mark.parametrize(
    "scores", [[1.0, float("nan")], [float("inf")], [[1.0, 2.0]], [1, 2], ["a"], []]
)
def test_what_is_no_yardstick_is_refused(scores):
    with pytest.raises(InvalidInputError, match=r"finite scores \(n,\)|no usable rows"):
        Calibration(np.array(scores))


@pytest.mark.parametrize("fdr", [0, 1, 5, -0.1, float("nan"), "0.1"])
def test_an_impossible_rate_is_refused(fdr):
    with pytest.raises(ConfigurationError, match=r"fdr=.*: pass a number between 0 and 1"):
        Calibration(np.arange(9.0)).discoveries(np.arange(3.0), fdr)
