"""Which features make a row strange."""

import contextlib

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError, NotFittedError
from aegmm_detect.explanation import Explanation
from aegmm_detect.od import OutlierAEGMM
from tests.untrained import untrained

QUICK = {"epochs": 5, "batch_size": 64, "verbose": 0}


@pytest.fixture(scope="module", params=[1, 2], ids=["one net", "ensemble"])
def detector(request, normal_rows):
    detector = OutlierAEGMM.auto(
        6, ensemble=request.param, seed=0, threshold=0.0, nan_policy="flag"
    )
    # Of fresh nets, the ensemble's explanations are as good, and its training compiles for long.
    with untrained() if request.param == 2 else contextlib.nullcontext():
        detector.fit(normal_rows, **QUICK)
    return detector


def planted(rows, seed=0):
    """Rows with one feature of each corrupted, and which."""
    rng = np.random.default_rng(seed)
    strange, which = rows.copy(), rng.integers(rows.shape[1], size=len(rows))
    strange[np.arange(len(rows)), which] += 25.0 * rows.std(axis=0)[which]
    return strange, which


def test_a_corrupted_feature_comes_out_on_top(detector, normal_rows):
    strange, which = planted(normal_rows[:150])
    found = detector.explain(strange).shares.argmax(axis=1)
    assert (found == which).mean() > 0.9  # 1/6 by chance


@pytest.mark.parametrize("score_type", ["energy", "reconstruction", "both"])
def test_the_scores_part_sums_to_the_difference_from_the_reconstruction(
    score_type, detector, normal_rows
):
    detector.score_type = score_type
    rows = np.concatenate([normal_rows[:100], planted(normal_rows[:50])[0]])
    graph = detector.scoring_graph
    prepared = detector.state.prepared(rows)
    x_recon = keras.ops.convert_to_numpy(detector.net(prepared, training=False)[0])
    typical = x_recon.reshape(-1, *rows.shape).mean(axis=0)
    at_rows, at_typical = (
        np.asarray(graph.function.of_prepared(graph.net, graph.parameters, x))
        for x in (prepared, typical)
    )
    want = at_rows - at_typical
    got = detector.explain(rows).score.sum(axis=1)
    # The bound of the documentation, and what float32 rounds on either side.
    assert (np.abs(got - want) <= np.maximum(0.0101 * np.abs(want), 0.011)).all()
    detector.score_type = "energy"


def test_the_reconstructions_part_is_the_squared_residual(detector, normal_rows):
    prepared = detector.state.prepared(normal_rows)
    x_recon = keras.ops.convert_to_numpy(detector.net(prepared, training=False)[0])
    want = np.square(x_recon.reshape(-1, *prepared.shape) - prepared).mean(axis=0)
    got = detector.explain(normal_rows).reconstruction
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-6)


def test_shares_sum_to_one_and_do_not_depend_on_the_neighbours(detector, normal_rows):
    # Among them some whose integral takes more points than that of others.
    rows = np.concatenate([normal_rows[:80], planted(normal_rows[:50])[0]])
    whole = detector.explain(rows).shares
    np.testing.assert_allclose(whole.sum(axis=1), 1.0, rtol=1e-5)
    assert (whole >= 0).all()
    parts = [detector.explain(rows[i : i + 13]).shares for i in range(0, 130, 13)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert detector.explain(normal_rows[:0]).shares.shape == (0, 6)


def test_values_that_are_not_finite_explain_themselves(detector, normal_rows):
    rows = normal_rows[:5].astype(np.float64)
    rows[1, 2], rows[3, [0, 5]] = np.nan, (np.inf, 1e300)
    shares = detector.explain(rows).shares
    assert shares[1].tolist() == [0, 0, 1, 0, 0, 0]
    assert shares[3].tolist() == [0.5, 0, 0, 0, 0, 0.5]
    np.testing.assert_array_equal(shares[::2], detector.explain(rows[::2]).shares)


def test_other_policies_refuse_them_as_scoring_does(fitted, normal_rows):
    rows = normal_rows[:5].copy()
    rows[2, 1] = np.nan
    with pytest.raises(InvalidInputError, match="in 1 row"):
        fitted.explain(rows)
    with pytest.raises(InvalidInputError, match="5 features"):
        fitted.explain(rows[:, :5])


def test_another_fit_or_score_type_has_another_explanation(normal_rows):
    detector = OutlierAEGMM.auto(6, ensemble=1, seed=0, threshold=0.0)
    with pytest.raises(NotFittedError, match=r"fit\(X\)"):
        detector.explain(normal_rows)
    detector.fit(normal_rows, **QUICK)
    first = detector.explain(normal_rows[:20]).score
    detector.score_type = "reconstruction"
    assert not np.allclose(detector.explain(normal_rows[:20]).score, first)
    detector.score_type = "energy"
    np.testing.assert_array_equal(detector.explain(normal_rows[:20]).score, first)
    detector.fit(normal_rows, **QUICK, seed=5)
    assert not np.allclose(detector.explain(normal_rows[:20]).score, first)


def test_images_are_explained_pixel_by_pixel():
    rng = np.random.default_rng(0)
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(16), layers.Reshape((4, 4, 1))])
    density = keras.Sequential([keras.Input((4,)), layers.Dense(2, "softmax")])
    detector = OutlierAEGMM(0.0, None, encoder, decoder, density, seed=0)
    images = rng.normal(size=(200, 4, 4, 1)).astype("float32")
    detector.fit(images, **QUICK | {"epochs": 0})
    spoiled = images[:30].copy()
    spoiled[:, 2, 1, 0] += 30.0
    shares = detector.explain(spoiled).shares
    assert shares.shape == spoiled.shape
    assert (shares.reshape(30, -1).argmax(axis=1) == 9).mean() > 0.9


def test_a_perfect_reconstruction_has_no_feature_that_is_stranger():
    nothing = np.zeros((2, 4), dtype=np.float32)
    np.testing.assert_array_equal(Explanation(nothing, nothing).shares, np.full((2, 4), 0.25))
    huge = np.full((1, 2), np.inf, dtype=np.float32)
    np.testing.assert_array_equal(Explanation(huge, nothing[:1, :2]).shares, [[0.5, 0.5]])


@pytest.mark.filterwarnings("ignore:recon_features .or a net. cannot run inside a compiled graph")
def test_features_in_numpy_alone_are_not_explained(make_nets, normal_rows):
    def in_numpy(x, x_recon):
        return np.square(np.asarray(x) - np.asarray(x_recon)).mean(axis=1, keepdims=True)

    detector = OutlierAEGMM(0.0, **make_nets(n_recon=1), recon_features=in_numpy)
    detector.fit(normal_rows, epochs=0, verbose=0)
    with pytest.raises(ConfigurationError, match=r"keras\.ops in place of NumPy"):
        detector.explain(normal_rows[:5])
