"""Metrics are scikit-learn's; rules flag what they say they flag."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from aegmm_detect.evaluation import metrics, rules
from aegmm_detect.exceptions import AEGMMError

RNG = np.random.default_rng(0)
Y = (RNG.random(300) < 0.1).astype(np.int64)
SCORES = RNG.normal(size=300) + 2 * Y


def test_metrics_equal_those_of_scikit_learn():
    flagged = rules.flag_above(SCORES, 1.5)
    found = metrics.evaluate(Y, SCORES, flagged)
    want = sk.precision_recall_fscore_support(Y, flagged, average="binary")[:3]
    want += (sk.roc_auc_score(Y, SCORES), sk.average_precision_score(Y, SCORES))
    assert found == pytest.approx(dict(zip(metrics.METRICS, want, strict=True)))


def test_nothing_flagged_scores_zero():
    zero = {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert metrics.precision_recall_f1(Y, np.zeros(300)) == zero
    assert metrics.precision_recall_f1(np.zeros(3), np.zeros(3)) == zero


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    scores = SCORES.copy()
    scores[17] = bad
    with pytest.raises(AEGMMError, match=r"1 of 300 scores .* row 17"):
        metrics.ranking(Y, scores)


def test_scores_of_another_shape_and_labels_of_one_class_are_refused():
    with pytest.raises(AEGMMError, match=r"shape \(300, 1\)"):
        metrics.ranking(Y, SCORES[:, None])
    with pytest.raises(AEGMMError, match="same label"):
        metrics.ranking(np.ones(300), SCORES)


def test_recall_by_kind_counts_anomalies_only():
    y = np.array([1, 1, 1, 0, 0])
    kinds = np.array(["dos", "dos", "probe", "normal", "normal"])
    found = metrics.recall_by_kind(y, np.array([1.0, 0.5, 0.0, 1.0, 0.0]), kinds)
    assert found == {"dos": {"recall": 0.75, "rows": 2}, "probe": {"recall": 0.0, "rows": 1}}


few_values = st.lists(st.integers(-3, 3), min_size=1, max_size=40)  # so that scores tie


@given(few_values, st.data())
def test_the_top_is_flagged_whatever_the_order(values, data):
    scores = np.array(values, dtype=float)
    count = data.draw(st.integers(0, len(scores)))
    flagged = rules.flag_top(scores, count)
    assert flagged.sum() == pytest.approx(count)
    assert np.all((flagged >= 0) & (flagged <= 1))
    order = data.draw(st.permutations(range(len(scores))))
    np.testing.assert_array_equal(rules.flag_top(scores[order], count), flagged[order])
    # No row is flagged more than one that scores higher.
    assert np.all(np.diff(flagged[np.argsort(scores, kind="stable")]) >= 0)


def test_without_ties_the_top_are_whole_rows():
    flagged = rules.flag_top(SCORES, 30)
    assert set(flagged) == {0.0, 1.0}
    assert SCORES[flagged == 1].min() > SCORES[flagged == 0].max()


@given(few_values.filter(lambda v: len(v) > 1), st.data())
def test_with_the_oracles_count_precision_is_recall_is_f1(values, data):
    y = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(values), max_size=len(values))))
    flagged = rules.OracleCount().decide(rules.Scored(np.array(values, float), int(y.sum())))
    found = metrics.precision_recall_f1(y, flagged)
    assert found["precision"] == pytest.approx(found["recall"])
    assert found["f1"] == pytest.approx(found["recall"])


def test_shared_flags_are_the_expectation_over_orders_of_ties():
    y, scores = np.array([1, 0, 1, 0, 0]), np.array([3.0, 2.0, 2.0, 2.0, 1.0])
    order = np.random.default_rng(1)
    hits = []
    for _ in range(4000):
        perm = order.permutation(5)
        top = perm[np.argsort(-scores[perm], kind="stable")][:2]
        hits.append(y[top].sum())
    flagged = rules.flag_top(scores, 2)
    assert (flagged * y).sum() == pytest.approx(np.mean(hits), abs=0.05)


def test_a_count_beyond_the_rows_is_refused():
    with pytest.raises(AEGMMError, match="4 of 3 rows"):
        rules.flag_top(np.zeros(3), 4)


def test_the_union_rule_counts_training_rows():
    scored = rules.Scored(test=np.arange(50.0, 100.0), n_anomalies=1, train=np.arange(50.0))
    flagged = rules.UnionPercentile(0.2).decide(scored)
    np.testing.assert_array_equal(flagged, np.arange(50, 100) > np.percentile(np.arange(100), 80))


def test_the_best_threshold_is_the_best_of_the_candidates():
    rule = rules.BestF1Percentile()
    threshold = rule.threshold(SCORES, Y)
    centre = 100 * (1 - Y.mean())
    candidates = np.percentile(SCORES, np.linspace(centre - 5, centre + 5, 100))
    best = max(sk.f1_score(Y, rules.flag_above(SCORES, t)) for t in candidates)
    assert sk.f1_score(Y, rules.flag_above(SCORES, threshold)) == best
    assert threshold in candidates


def test_the_best_threshold_reads_no_label_of_the_test():
    scored = rules.Scored(SCORES, 3, labelled=SCORES[:150], y_labelled=Y[:150])
    rule = rules.BestF1Percentile()
    np.testing.assert_array_equal(rule.decide(scored), rule.decide(scored._replace(n_anomalies=99)))
    with pytest.raises(AEGMMError, match="labelled rows is an anomaly"):
        rule.threshold(SCORES, np.zeros(300))
