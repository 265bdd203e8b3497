import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.numerics.thresholds import (
    conformal,
    contamination,
    cut_above,
    just_below,
    mad,
    percentile,
    pot,
    rows_needed,
)

bounded = settings(max_examples=50)
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
        ConfigurationError, match=r"perc=.*: pass a number from 0 to 100, such as 95"
    ):
        percentile(np.arange(3.0), perc)


@pytest.mark.parametrize("perc", [90, np.float32(90), np.int8(90), np.array(90.0)])
def test_any_kind_of_number_is_a_percentage(perc):
    assert percentile(np.arange(101.0), perc) == 90.0


shares = st.floats(0.001, 0.999)
# Few different values, so that many scores tie.
tied = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=60)


@given(values=st.one_of(scores, tied), share=shares)
@bounded
def test_no_more_rows_are_flagged_than_expected_outliers(values, share):
    values = np.array(values, dtype="float32")
    flagged = values > contamination(values, share)
    expected = round(share * len(values))
    assert flagged.sum() <= expected
    # One more value would be too many: the next lower one ties.
    if not flagged.all():
        assert np.sum(values >= values[~flagged].max()) > expected


@given(values=scores, share=shares)
@bounded
def test_without_ties_exactly_the_expected_outliers_are_flagged(values, share):
    values = np.unique(np.array(values, dtype="float32"))
    assert np.sum(values > contamination(values, share)) == round(share * len(values))


@given(values=st.one_of(scores, tied), fpr=shares)
@bounded
def test_a_conformal_threshold_is_where_the_p_value_reaches_the_rate(values, fpr):
    values = np.array(values, dtype="float32")
    if (len(values) + 1) * fpr < 1:
        with pytest.raises(InvalidInputError, match=f"at least {rows_needed(fpr)}"):
            conformal(values, fpr)
        return
    threshold = conformal(values, fpr)
    new = np.concatenate([values, values + 0.5, [values.max() + 1, values.min() - 1]])
    p = (1 + np.sum(values >= new[:, None], axis=1)) / (len(values) + 1)
    np.testing.assert_array_equal(new > threshold, p <= fpr)


@pytest.mark.parametrize(("n", "fpr"), [(999, 1e-3), (99, 0.01), (19, 0.05), (9, 0.1), (1, 0.5)])
def test_the_fewest_rows_for_a_rate_suffice_and_one_less_does_not(n, fpr):
    assert rows_needed(fpr) == n
    assert conformal(np.arange(n), fpr) == n - 1
    with pytest.raises(InvalidInputError, match=rf"{n - 1} rows are too few.*at least {n} are"):
        conformal(np.arange(n - 1), fpr)


def test_five_hundred_rows_cannot_give_one_in_a_thousand():
    with pytest.raises(InvalidInputError, match=r"500 rows are too few for fpr=0.001: .* 999"):
        conformal(np.arange(500.0), 1e-3)


def test_rates_of_whole_counts_survive_rounding():
    # 100 * 0.29 is 28.999999999999996.
    assert np.sum(np.arange(99) > conformal(np.arange(99), 0.29)) == 28


@pytest.mark.parametrize("fpr", [0.01, 0.05, 0.3])
def test_a_conformal_threshold_holds_its_rate_of_false_alarms(fpr):
    """Exactly so without ties: the rate above the k-th of N scores is k' / (N + 1) on average."""
    rng = np.random.default_rng(0)
    n = 199
    rates = [stats.norm.sf(conformal(rng.normal(size=n), fpr)) for _ in range(2000)]
    exact = np.floor((n + 1) * fpr + 1e-9) / (n + 1)
    assert abs(np.mean(rates) - exact) < 4 * np.std(rates) / np.sqrt(2000)
    assert exact <= fpr


@pytest.mark.parametrize(
    "tail", [stats.expon(), stats.norm(), stats.t(3), stats.gamma(2), stats.pareto(4)]
)
def test_a_tail_is_continued_beyond_the_sample(tail):
    """A rate of one in N, and of a fifth of that, on a sample of N."""
    rng = np.random.default_rng(0)
    for rate in (5e-4, 1e-4):
        found = [tail.sf(pot(tail.rvs(2000, random_state=rng), rate)) for _ in range(40)]
        assert 0.5 < np.median(found) / rate < 3.0


def test_an_exact_pareto_tail_is_recovered():
    quantiles = stats.genpareto(0.2).ppf((np.arange(20_000) + 0.5) / 20_000)
    for rate in (1e-2, 1e-3, 1e-5):
        assert stats.genpareto(0.2).sf(pot(quantiles, rate)) == pytest.approx(rate, rel=0.1)


@given(seed=st.integers(0, 20), shift=st.floats(-1e4, 1e4), scale=st.floats(1e-3, 1e3))
@settings(max_examples=20)
def test_methods_of_scores_alone_follow_their_unit(seed, shift, scale):
    values = np.random.default_rng(seed).gumbel(size=600)
    for threshold in (lambda v: pot(v, 1e-3), mad, lambda v: conformal(v, 0.01)):
        got, want = threshold(values * scale + shift), threshold(values) * scale + shift
        assert got == pytest.approx(want, rel=1e-3, abs=1e-2 * scale)


def test_a_lower_rate_never_lowers_the_threshold_of_a_tail():
    values = np.random.default_rng(0).normal(size=1000)
    found = [pot(values, rate) for rate in (0.09, 0.05, 0.01, 1e-3, 1e-4, 1e-6)]
    assert found == sorted(found)
    assert found[0] > np.quantile(values, 0.9) - 0.1


def test_tails_that_cannot_be_fitted_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InvalidInputError, match=r"40 of 400 scores .* at least 500 rows"):
        pot(rng.normal(size=400), 1e-3)
    with pytest.raises(InvalidInputError, match="0 of 5000 scores"):
        pot(np.ones(5000), 1e-3)
    with pytest.raises(ConfigurationError, match=r"not in the tail .* begins at 0.1\.$"):
        pot(rng.normal(size=1000), 0.2)
    with pytest.raises(InvalidInputError, match=r"so heavy .* Outliers among"):
        pot(np.exp(np.exp(rng.uniform(0, 4.4, size=1000))), 1e-9)


def test_the_robust_threshold_of_gaussian_scores_is_k_sigmas_away():
    values = stats.norm(5, 2).ppf((np.arange(9999) + 0.5) / 9999)
    for k in (1.0, 3.0, 3.5):
        assert mad(values, k) == pytest.approx(5 + 2 * k, rel=1e-3)


def test_outliers_below_one_half_cannot_move_a_robust_threshold_far():
    rng = np.random.default_rng(0)
    values = rng.normal(size=1001)
    for n_outliers in (1, 50, 400):
        worst = values.copy()
        worst[:n_outliers] = 3.4e38
        threshold = mad(worst, 3.0)
        assert np.isfinite(threshold)
        assert threshold < 15
        assert (worst[:n_outliers] > threshold).all()
    assert mad(values, 3.0) == pytest.approx(3.0, abs=0.3)


def test_scores_without_spread_are_refused():
    with pytest.raises(InvalidInputError, match="half of the 5 scores are the same"):
        mad(np.array([1.0, 1.0, 1.0, 2.0, 9.0]))


@given(low=st.floats(-1e6, 1e6, width=32), steps=st.integers(1, 5))
@bounded
def test_cuts_separate_neighbours_in_single_precision_too(low, steps):
    high = np.float32(low)
    for _ in range(steps):
        high = np.nextafter(high, np.float32(np.inf))
    pair = np.array([low, high], dtype="float32")
    for threshold in (cut_above(pair, low), cut_above(pair, just_below(low))):
        # As a Python float, which NumPy takes for a float32, and as a float64.
        assert (pair > threshold).tolist() == (pair > np.float64(threshold)).tolist()
    assert (pair > cut_above(pair, low)).tolist() == [False, True]
    assert (pair > cut_above(pair, just_below(low))).tolist() == [True, True]
    assert cut_above(pair, float(high)) == high


@pytest.mark.parametrize("share", [0, 1, -0.1, 5, float("nan"), "0.1", None, [0.1, 0.2], True])
def test_an_impossible_share_is_refused(share):
    values = np.arange(1000.0)
    for method, name in ((contamination, "share"), (conformal, "fpr"), (pot, "fpr")):
        with pytest.raises(ConfigurationError, match=f"{name}=.*: pass a number between 0 and 1"):
            method(values, share)


@pytest.mark.parametrize("k", [0, -1, float("inf"), float("nan"), "3"])
def test_an_impossible_factor_is_refused(k):
    with pytest.raises(ConfigurationError, match=r"k=.*: pass a positive number"):
        mad(np.arange(9.0), k)
