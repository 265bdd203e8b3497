import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from aegmm_detect.configs.maps import MapTraining
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.numerics import som, som_training
from aegmm_detect.numerics.som import (
    grid,
    merge_close,
    nearest_node,
    quantisation_error,
    winner_coordinates,
    winners,
)
from aegmm_detect.numerics.som_training import default_side
from aegmm_detect.training import maps
from aegmm_detect.training.maps import train_map, train_maps

bounded = settings(max_examples=20)
SHORT = MapTraining(n_steps=400)
KINDS = pytest.mark.parametrize(
    "kind",
    [
        {"neighbourhood": neighbourhood, "init": init}
        for neighbourhood in ("bubble", "gaussian")
        for init in ("sample", "linear")
    ],
    ids=lambda kind: "-".join(kind.values()),
)


def sample(seed=0, n=300, width=5):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, width)) @ rng.normal(size=(width, width))).astype(np.float32)


def squares(X, weights):
    """Squared distances (N, K), written out in float64."""
    nodes = weights.reshape(-1, weights.shape[-1]).astype(np.float64)
    return np.square(X.astype(np.float64)[:, None] - nodes).sum(axis=-1)


# --- winners --------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 2**32 - 1),
    side=st.integers(2, 12),
    far=st.sampled_from([0.0, 1.0, 1e3, 1e6]),
    scale=st.sampled_from([1e-4, 1.0, 1e4]),
)
@bounded
def test_winners_are_nearest_of_all_wherever_the_rows_lie(seed, side, far, scale):
    rng = np.random.default_rng(seed)
    X = (scale * (far + rng.normal(size=(80, 4)))).astype(np.float32)
    weights = (scale * (far + rng.normal(size=(side, side, 4)))).astype(np.float32)
    found = squares(X, weights)
    nearest, got = found.min(axis=1), found[np.arange(len(X)), winners(X, weights)]
    # Of two nodes as near, but for rounding, either will do.
    np.testing.assert_allclose(got, nearest, rtol=1e-4, atol=1e-5 * scale**2)


def test_of_equal_nodes_the_first_wins():
    weights = np.tile(sample(1, n=9).reshape(3, 3, 5), (2, 2, 1))
    X = sample(2)
    np.testing.assert_array_equal(winners(X, weights), squares(X, weights).argmin(axis=1))
    assert (winners(X, weights) // 6 < 3).all()


def test_rows_that_are_nodes_win_their_own():
    weights = sample(3, n=16).reshape(4, 4, 5)
    np.testing.assert_array_equal(winners(weights.reshape(16, 5), weights), np.arange(16))
    np.testing.assert_array_equal(winner_coordinates(weights.reshape(16, 5), [weights]), grid(4))


@given(cut=st.integers(1, 299), chunk=st.integers(1, 400), seed=st.integers(0, 99))
@bounded
def test_batches_and_order_of_rows_change_no_winner(cut, chunk, seed):
    X = np.concatenate([sample(seed, n=200), np.tile(sample(seed, n=20), (5, 1))])
    weights = train_map(X, 8, seed, SHORT)
    want = winners(X, weights)
    order = np.random.default_rng(seed).permutation(len(X))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(som, "_CHUNK", chunk)
        np.testing.assert_array_equal(winners(X[order], weights), want[order])
    np.testing.assert_array_equal(winners(X[:cut], weights), want[:cut])
    np.testing.assert_array_equal(winners(X[:1], weights), want[:1])


@given(seed=st.integers(0, 2**32 - 1), sides=st.lists(st.integers(2, 9), min_size=1, max_size=3))
@bounded
def test_coordinates_are_row_and_column_of_the_winner_from_0_to_1(seed, sides):
    X = sample(seed % 1000)
    maps = [np.random.default_rng(seed).normal(size=(s, s, 5)).astype(np.float32) for s in sides]
    got = winner_coordinates(X, maps)
    assert got.shape == (300, 2 * len(sides))
    assert got.dtype == np.float32
    for i, (side, weights) in enumerate(zip(sides, maps, strict=True)):
        places = np.stack(np.divmod(winners(X, weights), side), axis=1) / (side - 1)
        np.testing.assert_allclose(got[:, 2 * i : 2 * i + 2], places, rtol=1e-6)
    assert got.min() >= 0.0
    assert got.max() <= 1.0
    # Corners are 0 and 1, whatever the side.
    np.testing.assert_array_equal(grid(sides[0])[[0, -1]], [[0, 0], [1, 1]])


def test_quantisation_error_is_the_mean_distance_to_the_nearest():
    X, weights = sample(4), sample(5, n=25).reshape(5, 5, 5)
    want = np.sqrt(squares(X, weights).min(axis=1)).mean()
    assert quantisation_error(X, weights) == pytest.approx(want, rel=1e-6)


def test_rows_of_another_width_are_refused():
    with pytest.raises(InvalidInputError, match=r"rows \(N, 5\); got shape \(300, 4\)"):
        winners(sample(width=4), sample(n=4).reshape(2, 2, 5))


# --- merging --------------------------------------------------------------------------------------


def test_nodes_a_rounding_apart_become_one_and_others_stay():
    weights = sample(6, n=36).reshape(6, 6, 5)
    near = weights.copy()
    near[3:] = weights[:3] * (1 + 1e-6)
    merged = merge_close(near)
    np.testing.assert_array_equal(merged[:3], weights[:3])
    np.testing.assert_array_equal(merged[3:], weights[:3])
    np.testing.assert_array_equal(merge_close(merged), merged)
    np.testing.assert_array_equal(merge_close(weights), weights)


@pytest.mark.parametrize("far", [0.0, 1e4])
def test_rows_that_repeat_have_one_winner_in_any_precision(far):
    """Most nodes of such a map are where rows repeat, and as good as equal."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(6, 5)) + far, 300, axis=0).astype(np.float32)
    X[:40] += rng.normal(size=(40, 5)).astype(np.float32)
    weights = train_map(X, 12, 0, MapTraining(n_steps=2000))
    np.testing.assert_array_equal(winners(X, weights), squares(X, weights).argmin(axis=1))
    product = nearest_node(weights)
    assert np.count_nonzero(product.bias > -1e38) < 144  # some were merged: the test tests


# --- training -------------------------------------------------------------------------------------


@KINDS
def test_the_same_seed_makes_the_same_map_and_another_another(kind):
    X = sample()
    training = MapTraining(n_steps=300, **kind)
    weights = train_map(X, 5, 0, training)
    assert weights.shape == (5, 5, 5)
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(train_map(X, 5, 0, training), weights)
    assert not np.allclose(train_map(X, 5, 1, training), weights)


@KINDS
def test_training_takes_nodes_nearer_to_rows_it_has_not_seen(kind):
    X = sample(n=2000)
    begun = train_map(X[:1000], 8, 0, MapTraining(n_steps=1, learning_rate=1e-9, **kind))
    made = train_map(X[:1000], 8, 0, MapTraining(n_steps=3000, **kind))
    assert quantisation_error(X[1000:], made) < quantisation_error(X[1000:], begun)


@KINDS
@pytest.mark.parametrize("far", [0.0, 1e4])
def test_two_clusters_win_different_nodes_in_different_parts_of_the_map(kind, far):
    rng = np.random.default_rng(0)
    near_zero = far + 0.1 * rng.normal(size=(200, 3))
    X = np.concatenate([near_zero, near_zero + 5.0]).astype(np.float32)
    weights = train_map(X, 6, 0, MapTraining(n_steps=2000, **kind))
    one, other = winners(X[:200], weights), winners(X[200:], weights)
    assert not set(one) & set(other)
    places = grid(6)
    between = np.linalg.norm(places[one].mean(axis=0) - places[other].mean(axis=0))
    within = max(
        np.linalg.norm(places[w] - places[w].mean(axis=0), axis=1).mean() for w in (one, other)
    )
    assert between > within


def test_neighbours_stay_neighbours_if_the_radius_begins_wide_only():
    """Rows on a plane: distances on the map follow theirs. Alone, winners have no order."""
    X = np.random.default_rng(0).uniform(size=(3000, 2)).astype(np.float32)
    a, b = np.random.default_rng(1).integers(3000, size=(2, 2000))

    def correlation(radius):
        places = winner_coordinates(X, [train_map(X, 10, 0, MapTraining(radius=radius))])
        far = np.linalg.norm(X[a] - X[b], axis=1)
        return np.corrcoef(far, np.linalg.norm(places[a] - places[b], axis=1))[0, 1]

    assert correlation(None) > 0.9
    assert abs(correlation(1.0)) < 0.5


@given(seed=st.integers(0, 2**32 - 1), radius=st.floats(0.1, 4.0), rate=st.floats(0.01, 1.0))
@pytest.mark.parametrize("neighbourhood", ["bubble", "gaussian"])
@bounded
def test_a_step_is_kohonens_rule(neighbourhood, seed, radius, rate):
    """w += rate h(winner, node) (x - w), for each node by itself."""
    rng = np.random.default_rng(seed)
    weights, x = rng.normal(size=(7, 7, 3)).astype(np.float32), rng.normal(size=3).astype("f4")
    winner = np.array(divmod(squares(x[None], weights).argmin(), 7))
    want = weights.copy()
    for place in np.ndindex(7, 7):
        away = np.abs(winner - place)
        if neighbourhood == "bubble":
            share = float((away <= radius).all())
        else:
            share = np.exp(-np.square(away).sum() / (2 * radius**2)) * (away <= 3 * radius).all()
        want[place] += rate * share * (x - want[place])
    nodes = som_training._Nodes(weights.copy())
    nodes.step(x, rate, radius, neighbourhood)
    np.testing.assert_allclose(nodes.weights, want, rtol=1e-5, atol=1e-6)
    # What the next step looks for its winner by is up to date.
    np.testing.assert_allclose(
        nodes._half_squares, 0.5 * np.square(want).sum(axis=-1), rtol=1e-4, atol=1e-6
    )


def test_a_linear_start_is_a_grid_on_the_plane_of_the_principal_components():
    X = sample(n=400) * np.float32([3, 2, 1, 1, 1])
    barely = MapTraining(n_steps=400, learning_rate=1e-9, init="linear")
    nodes = train_map(X, 5, 0, barely).reshape(25, 5)
    pca = PCA(2).fit(X)
    places = pca.transform(nodes)
    np.testing.assert_allclose(pca.inverse_transform(places), nodes, atol=1e-4)
    deviations = np.sqrt(pca.explained_variance_)
    np.testing.assert_allclose(np.abs(places[[0, -1]]), [deviations] * 2, rtol=2e-3)
    np.testing.assert_allclose(places.mean(axis=0), 0.0, atol=1e-4)


def test_more_maps_differ_and_change_none_before():
    X = sample()
    three = train_maps(X, [5, 5, 7], 0, SHORT)
    assert [weights.shape for weights in three] == [(5, 5, 5), (5, 5, 5), (7, 7, 5)]
    assert not np.allclose(three[0], three[1])
    assert (winner_coordinates(X, three[:1]) != winner_coordinates(X, three[1:2])).any()
    for got, want in zip(train_maps(X, [5, 5], 0, SHORT), three[:2], strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (5, 2), (50, 1)])
@pytest.mark.parametrize("init", ["sample", "linear"])
def test_few_or_narrow_or_equal_rows_make_a_map(shape, init):
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for rows in (X, np.ones_like(X)):
        weights = train_map(rows, 3, 0, MapTraining(n_steps=50, init=init))
        assert np.isfinite(weights).all()
        assert ((winners(rows, weights) >= 0) & (winners(rows, weights) < 9)).all()


def test_rows_are_left_as_they_are():
    X = sample()
    before = X.copy()
    winners(X, train_map(X, 4, 0, SHORT))
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize(("n_rows", "side"), [(1, 2), (100, 4), (10_000, 11), (10**9, 32)])
def test_the_default_side_grows_with_the_fourth_root_of_the_rows(n_rows, side):
    assert default_side(n_rows) == side


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"n_steps": 0}, "n_steps=0: .*greater than or equal to 1"),
        ({"n_steps": 2.5}, "n_steps=2.5: .*valid integer"),
        ({"learning_rate": 1.5}, "learning_rate=1.5: .*less than or equal to 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: .*greater than 0"),
        ({"radius": -1.0}, "radius=-1.0: .*greater than 0"),
        ({"neighbourhood": "hat"}, "neighbourhood='hat': .*'bubble' or 'gaussian'"),
        ({"init": "zeros"}, "init='zeros': .*'sample' or 'linear'"),
    ],
)
def test_settings_out_of_range_are_refused(settings, text):
    with pytest.raises(ConfigurationError, match=text):
        MapTraining.of(**settings)


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (np.empty((0, 3)), r"got shape \(0, 3\)"),
        (np.ones((4, 3, 2)), r"got shape \(4, 3, 2\)"),
        (np.full((4, 3), np.nan), "NaN or infinity"),
    ],
)
def test_rows_that_make_no_map_are_refused(X, text):
    with pytest.raises(InvalidInputError, match=text):
        train_map(X, 3, 0)


def test_maps_of_no_size_are_refused():
    with pytest.raises(ConfigurationError, match="side=1: pass a whole number of at least 2"):
        train_map(sample(), 1, 0)
    with pytest.raises(ConfigurationError, match="pass the side of each map"):
        train_maps(sample(), [], 0)


@pytest.mark.parametrize("name", ["train_map", "train_maps"])
def test_functions_that_take_settings_have_moved(name):
    with pytest.warns(DeprecationWarning, match=r"from aegmm_detect\.training\.maps\."):
        assert getattr(som_training, name) is getattr(maps, name)
