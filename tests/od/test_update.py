"""Detectors that learn from new inliers, nets untouched."""

import copy
import dataclasses
import logging

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError, NotFittedError
from aegmm_detect.od import OutlierAEGMM

QUICK = {"epochs": 2, "batch_size": 64, "verbose": 0}


def make(normal_rows, **settings):
    settings = {"normalize": "standard", "seed": 0, "threshold": 0.0, **settings}
    detector = OutlierAEGMM.from_sizes(6, [8, 2], [4, 2], **settings)
    detector.fit(normal_rows, **QUICK)
    return detector


@pytest.fixture(scope="module")
def fixed(normal_rows):
    """One that tests leave as it is."""
    return make(normal_rows)


@pytest.fixture
def detector(fixed):
    """The test's own."""
    return copy.copy(fixed)


def test_a_slow_shift_is_followed(fixed, detector, normal_rows):
    """Rows that drift a little with every batch stay as usual; without updates they do not."""
    rng = np.random.default_rng(0)
    following = detector
    usual = fixed.score(normal_rows).mean()
    weights = [w.copy() for w in following.net.get_weights()]
    step = 0.5 * normal_rows.std(axis=0) * rng.choice([-1.0, 1.0], 6)
    for turn in range(1, 7):
        rows = rng.permutation(normal_rows)[:300] + np.float32(turn) * step
        last = fixed.score(rows).mean(), following.score(rows).mean()
        following.update(rows, half_life=200)
    assert last[0] > usual + 3.0
    assert last[1] < usual + 0.5 * (last[0] - usual)
    for before, after in zip(weights, following.net.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_the_result_does_not_depend_on_how_a_stream_is_cut(detector, normal_rows):
    whole, cut = detector, copy.copy(detector)
    new = normal_rows[:250] + 1.0
    whole.update(new)
    cut.update(lambda: (new[i : i + 70] for i in range(0, 250, 70)))
    np.testing.assert_allclose(whole.score(new), cut.score(new), rtol=1e-4, atol=1e-4)


def test_every_mixture_of_an_ensemble_learns(normal_rows):
    detector = OutlierAEGMM.auto(6, ensemble=2, seed=0, threshold=0.0)
    detector.fit(normal_rows, **QUICK)
    before = [mixture for member in detector.members for mixture in member.mixtures]
    detector.update(normal_rows[:200] + 1.0)
    after = [mixture for member in detector.members for mixture in member.mixtures]
    assert len(after) == len(before) == 6
    for old, new in zip(before, after, strict=True):
        assert new.diagonal == old.diagonal
        assert not np.allclose(new.mu, old.mu)
    assert np.isfinite(detector.score(normal_rows)).all()


def test_without_a_half_life_rows_fade_as_their_number_grows(detector, normal_rows):
    new = normal_rows[:100] + normal_rows.std(axis=0)
    before = detector.score(new)
    detector.update(new)
    first = np.abs(detector.score(new) - before).mean()
    detector.update(np.tile(normal_rows, (8, 1)))
    late = detector.score(new)
    detector.update(new)
    assert np.abs(detector.score(new) - late).mean() < first


def test_update_clears_an_inferred_threshold_and_says_so(detector, normal_rows, caplog):
    detector.update(normal_rows)
    assert detector.threshold == 0.0  # the user's own
    detector.infer_threshold(normal_rows)
    with caplog.at_level(logging.WARNING):
        detector.update(normal_rows)
    assert detector.threshold is None
    assert "before update and is cleared" in caplog.text


def test_rows_that_do_not_fit_leave_the_detector_as_it_was(detector, normal_rows):
    before = detector.score(normal_rows)
    bad = normal_rows.copy()
    bad[7, 0] = np.nan
    for rows, message in ((bad, r"first: 7\)"), (normal_rows[:, :4], "4 features")):
        with pytest.raises(InvalidInputError, match=message):
            detector.update(rows)
    with pytest.raises(InvalidInputError, match=r"first: 307\)"):
        detector.update(lambda: iter([normal_rows[:300], bad]))
    for half_life in (0, -1.0, float("nan"), "long"):
        with pytest.raises(ConfigurationError, match="half_life="):
            detector.update(normal_rows, half_life=half_life)
    detector.update(normal_rows[:0])
    np.testing.assert_array_equal(detector.score(normal_rows), before)
    with pytest.raises(NotFittedError, match="fit"):
        OutlierAEGMM.auto(6, threshold=0.0).update(normal_rows)


def test_flagged_rows_are_left_out(normal_rows):
    clean = make(normal_rows, nan_policy="flag")
    dirty = copy.copy(clean)
    new = normal_rows[:60] + 0.5
    clean.update(new)
    dirty.update(np.concatenate([new[:30], np.full((5, 6), np.nan), new[30:]]))
    np.testing.assert_array_equal(clean.score(new), dirty.score(new))


def test_a_detector_that_does_not_know_its_number_of_rows_refuses(detector, normal_rows):
    detector.adopt(dataclasses.replace(detector.state, n_rows=None))
    before = detector.score(normal_rows)
    with pytest.raises(ConfigurationError, match="does not know how many rows"):
        detector.update(normal_rows)
    np.testing.assert_array_equal(detector.score(normal_rows), before)


def test_rows_far_out_are_refused_and_leave_the_detector_as_it_was(normal_rows):
    dense = keras.layers.Dense
    detector = OutlierAEGMM(
        0.0,
        encoder_net=keras.Sequential([keras.Input((6,)), dense(2, kernel_initializer="ones")]),
        decoder_net=keras.Sequential([keras.Input((2,)), dense(6)]),
        gmm_density_net=keras.Sequential([keras.Input((4,)), dense(2, "softmax")]),
    )
    detector.fit(normal_rows, epochs=0)
    before = detector.score(normal_rows)
    with pytest.raises(InvalidInputError, match="pass inliers alone"):
        detector.update(np.full((3, 6), 3e38))  # six of them sum to infinity in the code
    np.testing.assert_array_equal(detector.score(normal_rows), before)


def test_no_rows_change_nothing_and_it_is_said(detector, normal_rows, caplog):
    before = detector.score(normal_rows)
    detector.update(normal_rows[:0])
    assert "update has changed nothing" in caplog.text
    np.testing.assert_array_equal(detector.score(normal_rows), before)
