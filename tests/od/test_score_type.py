"""What a score is made of: energy, reconstruction error, or both."""

import dataclasses
import logging

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.od import OutlierAEGMM

QUICK = {"epochs": 2, "batch_size": 64, "verbose": 0}


@pytest.fixture(scope="module", params=[1, 2], ids=["one net", "ensemble"])
def detector(request, normal_rows):
    detector = OutlierAEGMM.auto(6, ensemble=request.param, seed=0, threshold=0.0)
    detector.fit(normal_rows, **QUICK)
    return detector


def scores(detector, rows, score_type):
    detector.score_type = score_type
    return detector.score(rows)


def errors(detector, rows):
    """Distance of prepared rows from their reconstruction, net by net, (M, N)."""
    prepared = detector.state.prepared(rows)
    x_recon = keras.ops.convert_to_numpy(detector.net(prepared, training=False)[0])
    return np.linalg.norm(prepared - x_recon, axis=-1).reshape(-1, len(rows))


def robust(values):
    lower, centre, upper = np.percentile(values, [25, 50, 75], axis=-1)
    return centre, upper - lower


def test_reconstruction_is_the_robust_mean_of_the_nets_distances(detector, normal_rows):
    centre, spread = robust(errors(detector, normal_rows))
    rows = 3.0 * normal_rows[:50]
    each = (errors(detector, rows) - centre[:, None]) / spread[:, None]
    want = centre.mean() + spread.mean() * each.mean(axis=0)
    np.testing.assert_allclose(scores(detector, rows, "reconstruction"), want, rtol=1e-3)


def test_both_is_the_sum_of_the_standardised_parts(detector, normal_rows):
    rows, want = 2.0 * normal_rows[:80], 0.0
    for part in ("energy", "reconstruction"):
        centre, spread = robust(scores(detector, normal_rows, part))
        want = want + (scores(detector, rows, part) - centre) / spread
    np.testing.assert_allclose(scores(detector, rows, "both"), want, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("score_type", ["reconstruction", "both"])
def test_a_detector_made_with_a_score_type_scores_as_one_changed_to_it(
    score_type, detector, normal_rows
):
    members = detector.blueprint.members or 1
    made = OutlierAEGMM.auto(6, ensemble=members, seed=0, threshold=0.0, score_type=score_type)
    made.fit(normal_rows, **QUICK)
    np.testing.assert_array_equal(
        made.score(normal_rows), scores(detector, normal_rows, score_type)
    )


@pytest.mark.parametrize("score_type", ["reconstruction", "both"])
def test_rows_far_out_have_the_largest_number_and_rows_that_are_not_finite_have_none(
    score_type, normal_rows, make_nets
):
    detector = OutlierAEGMM(0.0, **make_nets(), nan_policy="flag", score_type=score_type)
    detector.fit(normal_rows, epochs=0)
    rows = normal_rows[:4].copy()
    rows[0, 0], rows[1, 0], rows[2, 0] = np.nan, np.inf, 3e38
    got = detector.predict(rows)["data"]
    assert np.isnan(got["instance_score"]).tolist() == [True, True, False, False]
    assert np.isfinite(got["instance_score"][2:]).all()
    assert got["is_outlier"][:3].tolist() == [1, 1, 1]


def test_another_score_type_clears_what_was_inferred_and_says_so(detector, normal_rows, caplog):
    detector.score_type = "energy"
    detector.infer_threshold(normal_rows)
    detector.calibrate(normal_rows, check_trained=False)
    detector.score_type = "energy"  # no other
    assert detector.threshold is not None
    assert detector.calibration is not None
    with caplog.at_level(logging.WARNING):
        detector.score_type = "both"
    assert "inferred for other scores and is cleared" in caplog.text
    assert "made for other scores and is cleared" in caplog.text
    assert detector.threshold is None
    assert detector.calibration is None
    detector.threshold = 1.5  # the user's own
    detector.score_type = "reconstruction"
    assert detector.threshold == 1.5


def test_an_unknown_score_type_changes_nothing(detector):
    before = detector.score_type
    with pytest.raises(ConfigurationError, match="score_type='distance'"):
        detector.score_type = "distance"
    assert detector.score_type == before


def test_without_scales_of_training_rows_there_is_only_the_energy(detector):
    bare = dataclasses.replace(detector.state, scales=None)
    with pytest.raises(ConfigurationError, match="has not seen: use 'energy'"):
        bare.graph(detector.net, "both")
    assert bare.graph(detector.net).function.kind == "energy"
