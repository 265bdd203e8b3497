"""How several mixtures' energies make one score, and the components put beside z."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import RobustScaler

from aegmm_detect.numerics.density import Density, Projection, combine
from aegmm_detect.numerics.scoring_mixture import ScoringMixture

bounded = settings(max_examples=30)
SEEDS = st.integers(0, 2**32 - 1)
MEMBERS = st.integers(2, 6)


def mixtures(n, n_dim=2):
    """What they hold is of no matter here."""
    eye = np.eye(n_dim)[None]
    return tuple((ScoringMixture(np.ones(1), np.zeros((1, n_dim)), eye, eye),) for _ in range(n))


def energies(seed, members, n=80):
    """Skewed, as energies are, and each member's on a scale of its own."""
    rng = np.random.default_rng(seed)
    scale, place = 10 ** rng.uniform(-2, 2, (members, 1)), rng.normal(size=(members, 1))
    return scale * (np.exp(rng.normal(size=(members, n))) + place)


def density(energies, limit=None):
    return Density.of_all(mixtures(len(energies)), energies, limit)


def score(density, energies):
    return np.asarray(combine(energies, density.centre, density.spread, density.limit))


@pytest.mark.parametrize("limit", [None, 4.0])
def test_one_mixture_scores_by_its_energy(limit):
    (members,) = mixtures(1)
    projection = Projection(np.zeros(2), np.eye(2))
    each = energies(0, 1)
    for made in (
        Density.of_one(*members, projection),
        Density.of_all((members,), each, limit, projection),
    ):
        assert made.members == (members,)
        assert made.mixtures == members
        np.testing.assert_array_equal(score(made, each), each[0])
        assert made.projection is projection


@given(seed=SEEDS, limit=st.floats(0.1, 100))
@bounded
def test_the_limit_keeps_the_order_of_a_single_energy(seed, limit):
    each = np.sort(energies(seed, 1)) ** 3
    made = Density(mixtures(1), np.array([1.0]), np.array([0.5]), limit)
    assert (np.diff(score(made, each)) > 0).all()


def test_far_below_the_limit_nothing_changes_and_far_beyond_growth_is_logarithmic():
    each = np.array([[2.003, 2.0 + 3e6, 2.0 + 3e9]])
    near, far, farther = np.asarray(combine(each, np.array([2.0]), np.array([3.0]), 4.0))
    assert near == pytest.approx(2.003, rel=1e-6)
    assert farther - far == pytest.approx(3.0 * 4.0 * np.log(1e3), rel=1e-6)


def test_with_a_limit_no_energy_decides_alone():
    """Row 0 is a little strange to three mixtures, row 1 is very strange to one."""
    each = np.tile(np.linspace(-1, 1, 101), (3, 1))
    rows = np.array([[6.0, 60.0], [6.0, 0.0], [6.0, 0.0]])
    assert np.argmax(score(density(each), rows)) == 1
    assert np.argmax(score(density(each, limit=1.0), rows)) == 0


@given(seed=SEEDS, members=MEMBERS)
@bounded
def test_the_score_is_the_mean_of_robustly_scaled_energies_put_back_in_nats(seed, members):
    each = energies(seed, members)
    scaler = RobustScaler().fit(each.T)
    mean = scaler.transform(each.T).mean(axis=1)
    want = scaler.center_.mean() + scaler.scale_.mean() * mean
    np.testing.assert_allclose(score(density(each), each), want, rtol=1e-9, atol=1e-9)


@given(seed=SEEDS, members=MEMBERS, shift=st.floats(-1e3, 1e3))
@bounded
def test_a_constant_added_to_a_member_adds_its_share_to_the_score(seed, members, shift):
    each = energies(seed, members)
    moved = each.copy()
    moved[0] += shift
    before, after = density(each), density(moved)
    np.testing.assert_allclose(after.spread, before.spread, rtol=1e-6)
    np.testing.assert_allclose(
        score(after, moved), score(before, each) + shift / members, rtol=1e-6, atol=1e-6
    )


@given(seed=SEEDS, members=MEMBERS, factor=st.floats(1e-3, 1e3))
@bounded
def test_the_scale_of_a_member_changes_the_score_by_a_scale_and_a_shift(seed, members, factor):
    """No member outvotes the others by counting in other units."""
    each = energies(seed, members)
    scaled = each.copy()
    scaled[-1] *= factor
    before, after = score(density(each), each), score(density(scaled), scaled)
    assert (np.argsort(after) == np.argsort(before)).all()
    standard = [RobustScaler().fit_transform(s[:, None]) for s in (before, after)]
    np.testing.assert_allclose(*standard, rtol=1e-6, atol=1e-9)


@given(seed=SEEDS, members=MEMBERS, factor=st.floats(0.1, 10), shift=st.floats(-10, 10))
@bounded
def test_all_energies_in_another_unit_are_the_score_in_that_unit(seed, members, factor, shift):
    each = energies(seed, members)
    other = factor * each + shift
    want = factor * score(density(each), each) + shift
    np.testing.assert_allclose(score(density(other), other), want, rtol=1e-7, atol=1e-7)


@given(seed=SEEDS, members=MEMBERS)
@bounded
def test_the_order_of_members_does_not_matter(seed, members):
    each = energies(seed, members)
    np.testing.assert_allclose(
        score(density(each[::-1]), each[::-1]), score(density(each), each), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("members", [1, 2, 5])
def test_members_that_agree_score_as_each_of_them(members):
    each = np.repeat(energies(0, 1), members, axis=0)
    np.testing.assert_allclose(score(density(each), each), each[0], rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, -1e6, 3.7])
def test_a_member_of_constant_energy_is_no_obstacle(value):
    each = energies(0, 3)
    each[1] = value
    made = density(each)
    assert np.isfinite(score(made, each)).all()
    others = score(density(each[[0, 2]]), each[[0, 2]])
    assert (np.argsort(score(made, each)) == np.argsort(others)).all()
    each[:] = value
    np.testing.assert_allclose(score(density(each), each), value, rtol=1e-12)


@given(seed=SEEDS, n_axes=st.integers(1, 6))
@bounded
def test_the_projection_is_that_of_scikit_learn(seed, n_axes):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)) + 100 * rng.normal(size=6)
    pca = PCA(n_axes).fit(X)
    projection = Projection(pca.mean_, pca.components_.T)
    np.testing.assert_allclose(projection(X), pca.transform(X), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(projection(X.reshape(50, 3, 2)), projection(X))
