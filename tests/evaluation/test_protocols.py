"""Splits leak nothing, have the sizes they promise, and follow their seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegmm_detect.evaluation import PROTOCOLS, SplitOptions, distinct_rows, make_split, rules
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError

seeds = st.integers(0, 2**31)
names = st.sampled_from(PROTOCOLS)
# So many anomalies that every half has enough of them for any share that is asked for.
N_NORMAL, N_ANOMALIES = st.integers(60, 300), st.integers(60, 120)


def labels(n_normal, n_anomalies, seed=0):
    y = np.repeat([0, 1], [n_normal, n_anomalies])
    return np.random.default_rng(seed).permutation(y)


@st.composite
def all_labels(draw):
    return labels(draw(N_NORMAL), draw(N_ANOMALIES), draw(seeds))


def parts(split):
    return split.train, split.test, split.labelled


@given(all_labels(), names, seeds, st.sampled_from([0.0, 0.05]), st.none() | st.integers(10, 100))
def test_no_row_is_in_two_parts(y, name, seed, rho, max_train):
    split = make_split(y, name, seed, SplitOptions(rho=rho, max_train=max_train))
    rows = np.concatenate(parts(split))
    assert len(np.unique(rows)) == len(rows)
    assert rows.min() >= 0
    assert rows.max() < len(y)
    assert split.protocol == name


@given(all_labels(), names, seeds)
def test_training_rows_are_normal_and_sizes_are_exact(y, name, seed):
    split = make_split(y, name, seed)
    n_normal, n_anomalies = np.sum(y == 0), np.sum(y == 1)
    assert not y[split.train].any()
    if name == "A":
        assert len(split.test) == len(y) - len(y) // 2
        # Of the half that is trained on, all normal rows are.
        assert len(split.train) == n_normal - np.sum(y[split.test] == 0)
        return
    assert len(split.train) == n_normal // 2
    rest = np.concatenate([split.test, split.labelled])
    assert len(rest) + len(split.train) == len(y)
    assert y[rest].sum() == n_anomalies
    assert len(split.labelled) == (round(0.2 * len(rest)) if name == "D" else 0)


@given(all_labels(), names, seeds)
def test_the_same_seed_gives_the_same_split_and_another_another(y, name, seed):
    split, again = (make_split(y, name, seed) for _ in range(2))
    for one, other in zip(parts(split), parts(again), strict=True):
        np.testing.assert_array_equal(one, other)
    moved = not np.array_equal(make_split(y, name, seed + 1).train, split.train)
    assert moved == (name != "B-fix")


@given(all_labels(), names, seeds, st.floats(0.01, 0.06))
def test_rho_is_the_share_of_anomalies_in_training(y, name, seed, rho):
    clean, split = make_split(y, name, seed), make_split(y, name, seed, SplitOptions(rho=rho))
    n_bad = y[split.train].sum()
    assert n_bad == pytest.approx(rho * len(split.train), abs=1)
    normal = split.train[y[split.train] == 0]
    np.testing.assert_array_equal(normal, clean.train)
    if name == "A":
        np.testing.assert_array_equal(split.test, clean.test)
    else:
        tested = y[split.test].sum() + y[split.labelled].sum()
        assert tested + n_bad == y.sum()


@given(all_labels(), st.sampled_from(["B", "B-fix", "C"]), seeds)
def test_with_a_holdout_every_rho_has_the_same_test(y, name, seed):
    made = [
        make_split(y, name, seed, SplitOptions(rho=rho, holdout=0.5)) for rho in (0.0, 0.02, 0.06)
    ]
    for split in made[1:]:
        np.testing.assert_array_equal(split.test, made[0].test)
    assert y[made[0].test].sum() == y.sum() - round(0.5 * y.sum())
    bad = [set(s.train[y[s.train] == 1]) for s in made]
    assert bad[0] <= bad[1] <= bad[2]


@given(all_labels(), names, seeds, st.integers(2, 400))
def test_a_cap_leaves_rows_out_and_moves_none_into_the_test(y, name, seed, cap):
    full, capped = make_split(y, name, seed), make_split(y, name, seed, SplitOptions(max_train=cap))
    assert len(capped.train) == min(cap, len(full.train))
    assert set(capped.train) <= set(full.train)
    np.testing.assert_array_equal(capped.test, full.test)


def test_the_fixed_protocol_trains_on_the_first_half_of_the_file():
    y = labels(100, 20)
    np.testing.assert_array_equal(make_split(y, "B-fix", 5).train, np.flatnonzero(y == 0)[:50])


def test_each_protocol_has_its_rule():
    y = labels(90, 30)
    rule = {name: make_split(y, name, 0).rule for name in PROTOCOLS}
    assert rule["A"] == rules.TopShare(0.25)
    assert rule["B"] == rule["B-fix"] == rules.OracleCount()
    assert rule["C"] == rules.UnionPercentile(0.25)
    assert rule["D"] == rules.BestF1Percentile()
    assert make_split(y, "A", 0, SplitOptions(ratio=0.2)).rule == rules.TopShare(0.2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("E", {}, "there are A, B, B-fix, C, D"),
        ("A", {"holdout": 0.5}, "holdout is not for protocol A"),
        ("B", {"ratio": 0.5}, "ratio is not for protocol B"),
        ("B", {"rho": 0.5}, "are to spare"),
        ("C", {"rho": 0.3, "holdout": 0.1}, "raise holdout"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, options, message):
    with pytest.raises(ConfigurationError, match=message):
        make_split(labels(90, 30), name, 0, SplitOptions(**options))


def test_the_advised_rho_is_possible():
    y = labels(1840, 20)
    with pytest.raises(ConfigurationError, match="lower rho") as error:
        make_split(y, "B", 0, SplitOptions(rho=0.05))
    assert "19 are to spare" in str(error.value)
    make_split(y, "B", 0, SplitOptions(rho=0.05, max_train=380))


@pytest.mark.parametrize("y", [np.zeros(50), np.ones(50), np.array([0, 0, 1])])
def test_labels_that_leave_a_part_empty_are_refused(y):
    with pytest.raises(InvalidInputError, match="leaves"):
        make_split(y, "B", 0)


def test_labels_other_than_0_and_1_are_refused():
    with pytest.raises(InvalidInputError, match="1 anomaly, 0 normal"):
        make_split(np.array([-1, 1, 1]), "B", 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)), min_size=1))
def test_distinct_rows_are_distinct_and_unambiguous(rows):
    table = np.array(rows)
    X, y = table[:, :2].astype(np.float32), table[:, 2]
    kept = distinct_rows(X, y)
    assert np.all(np.diff(kept) > 0)
    both = {tuple(x) for x in X[y == 0]} & {tuple(x) for x in X[y == 1]}
    assert sorted(map(tuple, X[kept])) == sorted({tuple(x) for x in X} - both)


def test_minus_zero_is_zero_and_the_rows_stay_as_they_are():
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 2.0]])
    np.testing.assert_array_equal(distinct_rows(X, np.zeros(3)), [0, 2])
    assert np.signbit(X[1, 0])


@given(seeds, names)
def test_no_vector_is_in_both_training_and_test_after_dedup(seed, name):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 5, size=(600, 4))
    y = (X.sum(axis=1) > 12).astype(int)
    kept = distinct_rows(X, y)
    split = make_split(y[kept], name, seed)
    trained = {tuple(x) for x in X[kept][split.train]}
    tested = {tuple(x) for x in X[kept][split.test]}
    assert not trained & tested
