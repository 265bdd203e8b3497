import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score, roc_curve

from aegmm_detect import input_checks
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.numerics import labelled_thresholds
from aegmm_detect.numerics.labelled_thresholds import fbeta, inliers, pu, youden
from aegmm_detect.numerics.thresholds import conformal

bounded = settings(max_examples=50)
BOTH = pytest.mark.parametrize("method", [fbeta, youden])


@st.composite
def labelled(draw):
    """Scores, with ties, and labels of both kinds."""
    score = st.one_of(st.integers(-3, 3).map(float), st.floats(-10, 10, width=32))
    y = [*draw(st.lists(st.sampled_from([0, 1, -1]), max_size=30)), 0, 1]
    return np.array(draw(st.lists(score, min_size=len(y), max_size=len(y))), "f4"), np.array(y)


def every_decision(scores):
    """All that a threshold can decide."""
    return [scores > cut for cut in [-np.inf, *np.unique(scores)]]


@given(rows=labelled(), beta=st.sampled_from([0.5, 1.0, 2.0]))
@bounded
def test_no_threshold_has_a_better_f_beta(rows, beta):
    scores, y = (values[rows[1] != -1] for values in rows)
    flagged = scores > fbeta(*rows, beta)
    best = max(fbeta_score(y, d, beta=beta, zero_division=0.0) for d in every_decision(scores))
    assert fbeta_score(y, flagged, beta=beta) == pytest.approx(best)


@given(rows=labelled())
@bounded
def test_no_threshold_has_a_better_j(rows):
    scores, y = (values[rows[1] != -1] for values in rows)
    flagged = scores > youden(*rows)
    fpr, tpr, _ = roc_curve(y, scores, drop_intermediate=False)
    # To flag no row at all is no threshold that these methods would choose: J is 0 there, too.
    assert flagged[y == 1].mean() - flagged[y == 0].mean() == pytest.approx(max(tpr - fpr))


@BOTH
@given(rows=labelled(), data=st.data())
@bounded
def test_neither_order_nor_unlabelled_rows_count(method, rows, data):
    scores, y = rows
    order = np.array(data.draw(st.permutations(range(len(y)))))
    assert method(scores[order], y[order]) == method(scores, y)
    assert method(scores[y != -1], y[y != -1]) == method(scores, y)


@BOTH
def test_a_clean_cut_lies_in_the_middle_of_the_gap(method):
    assert method(np.array([1.0, 2.0, 6.0, 9.0]), np.array([0, 0, 1, 1])) == 4.0


def test_recall_that_counts_more_lowers_the_threshold():
    rng = np.random.default_rng(0)
    scores = np.r_[rng.normal(size=500), rng.normal(1.5, 1.0, size=100)]
    y = np.repeat([0, 1], [500, 100])
    found = [fbeta(scores, y, beta) for beta in (0.25, 0.5, 1.0, 2.0, 4.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


def test_youden_finds_the_crossing_of_two_gaussians_whatever_their_shares():
    """J is largest where the densities are equal: in the middle."""
    rng = np.random.default_rng(0)
    for n_outliers in (2_000, 20_000):
        scores = np.r_[rng.normal(size=20_000), rng.normal(3.0, 1.0, size=n_outliers)]
        y = np.repeat([0, 1], [20_000, n_outliers])
        assert youden(scores, y) == pytest.approx(1.5, abs=0.2)


@BOTH
@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, -1], [-1, -1, -1]])
def test_labels_of_one_kind_are_refused(method, y):
    with pytest.raises(InvalidInputError, match=r"y marks \d rows as outliers .* both are needed"):
        method(np.arange(3.0), np.array(y))


@pytest.mark.parametrize("beta", [0, -1.0, float("nan"), float("inf"), "1"])
def test_an_impossible_beta_is_refused(beta):
    with pytest.raises(ConfigurationError, match=r"beta=.*: pass a positive number"):
        fbeta(np.arange(3.0), np.array([0, 1, 1]), beta)


def test_labelled_inliers_alone_count():
    rng = np.random.default_rng(0)
    scores = np.r_[rng.normal(size=300), rng.normal(5.0, 1.0, size=100)]
    y = np.repeat([0, -1, 0, 1], [200, 100, 0, 100])
    assert inliers(scores, y, 0.05) == conformal(scores[:200], 0.05)
    with pytest.raises(InvalidInputError, match="200 rows are too few"):
        inliers(scores, y, 1e-3)
    with pytest.raises(InvalidInputError, match="marks no row as inlier"):
        inliers(scores, np.ones(400, dtype=int), 0.05)


def mixed(n_labelled, n_inliers, n_outliers, seed, gap=6.0):
    rng = np.random.default_rng(seed)
    scores = np.r_[rng.normal(size=n_labelled + n_inliers), rng.normal(gap, 1.0, size=n_outliers)]
    return scores, np.repeat([0, -1], [n_labelled, n_inliers + n_outliers])


@pytest.mark.parametrize("n_outliers", [20, 200, 800])
def test_inliers_labelled_at_random_separate_the_rest(n_outliers):
    wrong = []
    for seed in range(10):
        scores, y = mixed(200, 800, n_outliers, seed)
        flagged = scores > pu(scores, y)
        assert flagged[1000:].mean() > 0.95
        wrong.append(flagged[:1000].mean())
    assert np.mean(wrong) < 0.02


def test_the_threshold_of_overlapping_classes_is_where_both_are_as_likely():
    """Of 4,000 inliers, labelled or not, and as many outliers: half-way between their means."""
    found = [pu(*mixed(1000, 3000, 4000, seed, gap=4.0)) for seed in range(10)]
    assert np.mean(found) == pytest.approx(2.0, abs=0.3)


def test_without_outliers_few_rows_are_flagged():
    """About 2 (1 - c) / c, as documented: the highest, of which less than c / 2 is labelled."""
    for c, documented in ((0.1, 18.0), (0.3, 4.7)):
        n = int(1000 * c)
        batches = (mixed(n, 1000 - n, 0, seed) for seed in range(200))
        flagged = [np.sum(s > pu(s, y)) for s, y in batches]
        assert np.mean(flagged) == pytest.approx(documented, rel=0.25)


@given(seed=st.integers(0, 99))
@settings(max_examples=20)
def test_order_and_any_rising_change_of_scores_leave_the_decisions(seed):
    scores, y = mixed(60, 100, 40, seed)
    want = scores > pu(scores, y)
    order = np.random.default_rng(seed).permutation(len(y))
    np.testing.assert_array_equal(scores[order] > pu(scores[order], y[order]), want[order])
    # Isotonic regression sees the order of scores; between two of them it is a straight line.
    scaled = 3.0 * scores - 7.0
    np.testing.assert_array_equal(scaled > pu(scaled, y), want)


def test_labels_that_positive_unlabelled_learning_cannot_use_are_refused():
    scores, y = mixed(50, 50, 50, 0)
    for label, few, what in ((0, 19, "19 labelled inliers"), (-1, 19, "19 unlabelled rows")):
        rows = np.r_[np.flatnonzero(y == label)[:few], np.flatnonzero(y != label)]
        with pytest.raises(InvalidInputError, match=f"{what} .*at least 20"):
            pu(scores[rows], y[rows])
    with pytest.raises(InvalidInputError, match=r"100 rows are labelled as outliers \(1\)"):
        pu(scores, np.abs(y))


def test_the_check_of_labels_has_moved():
    with pytest.warns(DeprecationWarning, match=r"from aegmm_detect\.input_checks\."):
        assert labelled_thresholds.check_labels is input_checks.check_labels
