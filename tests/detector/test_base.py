"""What every detector inherits: checks of rows, the dictionary of `predict`, thresholds, order."""

import copy
import logging
import pickle

import numpy as np
import pandas as pd
import pytest

from aegmm_detect.detector.base import Detector
from aegmm_detect.exceptions import (
    AEGMMError,
    ArtefactError,
    ConfigurationError,
    InvalidInputError,
    NotFittedError,
    ThresholdNotInferredError,
)
from aegmm_detect.saving import save_detector
from tests.detector.stub import FirstColumn

RNG = np.random.default_rng(0)
ROWS = RNG.gumbel(size=(600, 6)).astype(np.float32)
N_FEATURES = 6


@pytest.fixture
def detector():
    detector = FirstColumn()
    detector.fit(ROWS)
    detector.infer_threshold(ROWS, 90.0)
    return detector


def test_predict_returns_what_monitoring_code_reads(detector):
    result = detector.predict(ROWS)
    assert list(result) == ["data", "meta"]
    assert list(result["data"]) == ["instance_score", "feature_score", "is_outlier"]
    assert result["data"]["feature_score"] is None
    assert result["data"]["instance_score"].dtype == np.float32
    is_outlier = result["data"]["is_outlier"]
    assert is_outlier.dtype == np.int64
    np.testing.assert_array_equal(
        is_outlier, (detector.score(ROWS) > detector.threshold).astype(int)
    )
    assert sorted(result["meta"]) == ["data_type", "detector_type", "name", "online", "version"]
    assert result["meta"]["name"] == "FirstColumn"
    short = detector.predict(ROWS, return_instance_score=False)["data"]
    assert short["instance_score"] is None


def test_feature_scores_of_a_detector_that_has_none_are_rejected(detector):
    with pytest.raises(ConfigurationError, match="leave return_feature_score out"):
        detector.predict(ROWS, return_feature_score=True)


def test_calibrated_decisions_keep_the_order_of_scores():
    detector = FirstColumn()
    detector.fit(ROWS[:400])
    with pytest.raises(InvalidInputError, match="100 of 100 rows of X were trained on"):
        detector.calibrate(ROWS[:100].astype("float64"))
    detector.calibrate(ROWS[400:])
    data = detector.predict(ROWS * 3.0, return_p_value=True, fdr=0.5)["data"]
    assert list(data) == ["instance_score", "feature_score", "p_value", "is_outlier"]
    order = np.argsort(data["instance_score"])
    assert (np.diff(data["p_value"][order]) <= 0).all()
    assert (np.diff(data["is_outlier"][order]) >= 0).all()
    detector.fit(ROWS)
    assert detector.calibration is None


def test_callers_may_write_into_the_meta_they_get(detector):
    before = copy.deepcopy(detector.meta)
    detector.predict(ROWS[:3])["meta"]["name"] = "mine"
    assert detector.meta == before


def test_a_score_equal_to_the_threshold_is_no_outlier(detector):
    detector.threshold = float(detector.score(ROWS)[5])
    assert detector.predict(ROWS)["data"]["is_outlier"][5] == 0


def test_inferred_threshold_is_the_percentile_and_a_float(detector):
    scores = detector.score(ROWS)
    for perc in (50.0, 90.0, 95.0):
        threshold = detector.infer_threshold(ROWS, threshold_perc=perc)
        assert type(threshold) is float
        assert threshold == detector.threshold
        assert abs((scores <= threshold).mean() - perc / 100) <= 1.0 / len(scores) + 1e-9


def test_a_share_in_place_of_a_percentage_works_and_is_logged(detector, caplog):
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        low = detector.infer_threshold(ROWS, threshold_perc=0.95)
        assert "If you mean a share, pass threshold_perc=95." in caplog.text
        caplog.clear()
        assert low < detector.infer_threshold(ROWS, threshold_perc=1)
        detector.infer_threshold(ROWS, threshold_perc=0)
        assert not caplog.records


@pytest.mark.parametrize("perc", ["95", None, [95.0], 101])
def test_a_wrong_percentage_is_rejected_before_rows_are_read(detector, perc):
    before = detector.threshold

    def explode():
        raise AssertionError("read too early")

    with pytest.raises(ConfigurationError, match="pass a number from 0 to 100, such as 95"):
        detector.infer_threshold(explode, threshold_perc=perc)
    assert detector.threshold == before


def test_a_threshold_in_words_is_rejected_and_names_infer_threshold():
    with pytest.raises(ConfigurationError, match=r"'high' is not a number.*infer_threshold"):
        FirstColumn(threshold="high")


def test_no_rows_no_scores(detector):
    assert detector.score(np.empty((0, N_FEATURES))).shape == (0,)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_rows_are_rejected_by_number(detector, bad):
    rows = ROWS[:9].copy()
    rows[[4, 7], 2] = bad
    for call in (detector.score, detector.predict, detector.infer_threshold):
        with pytest.raises(ValueError, match=r"2 rows \(first: 4, 7\)"):
            call(rows)


def test_columns_with_nan_are_named_where_names_are_known():
    frame = pd.DataFrame(ROWS, columns=list("abcdef"))
    detector = FirstColumn()
    detector.fit(frame)
    frame.loc[[4, 7], "c"] = np.nan
    for X in (frame, frame.to_numpy()):
        with pytest.raises(ValueError, match=r"2 rows \(first: 4, 7\), column c\. Drop"):
            detector.score(X)


def test_fit_names_columns_with_nan_where_names_are_known():
    frame = pd.DataFrame(ROWS, columns=list("abcdef"))
    frame.loc[[304, 307], ["c", "e"]] = np.nan
    halves = [frame[:300], frame[300:]]
    # A stream's names are those of the frames so far, whatever a later batch is.
    for X in (frame, lambda: halves, lambda: [halves[0], halves[1].to_numpy()]):
        with pytest.raises(ValueError, match=r"2 rows \(first: 304, 307\), columns c, e\. Drop"):
            FirstColumn().fit(X)
    for X in (frame.to_numpy(), lambda: [half.to_numpy() for half in halves]):
        with pytest.raises(ValueError, match=r"2 rows \(first: 304, 307\)\. Drop"):
            FirstColumn().fit(X)


def test_a_generator_is_rejected_without_a_word_about_fit(detector):
    for call in (detector.score, detector.predict, detector.infer_threshold):
        with pytest.raises(ValueError, match=r"read only once.*lambda: my_batches") as caught:
            call(batch for batch in [ROWS])
        assert "fit" not in str(caught.value)


def test_single_rows_from_a_stream_are_rejected(detector):
    with pytest.raises(ValueError, match=r"A batch of X has shape \(6,\).*dataset\.batch"):
        detector.score(lambda: ROWS)


def test_non_finite_rows_can_be_flagged_and_are_never_inliers():
    rows = ROWS.copy()
    rows[[4, 7], 2] = [np.nan, np.inf]
    detector = FirstColumn(nan_policy="flag")
    detector.fit(rows)
    detector.infer_threshold(rows, 95.0)
    assert np.isfinite(detector.threshold)
    data = detector.predict(rows)["data"]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(data["instance_score"])), [4, 7])
    assert data["is_outlier"][[4, 7]].tolist() == [1, 1]


def test_before_fit_every_method_says_so():
    detector = FirstColumn()
    for call in (detector.score, detector.predict, detector.infer_threshold):
        with pytest.raises(NotFittedError, match=r"fit\(X\)"):
            call(ROWS)


def test_after_a_fit_that_was_cut_off_every_method_says_so(detector):
    detector._forget_fit()
    for call in (detector.score, detector.predict, detector.infer_threshold):
        with pytest.raises(NotFittedError, match=r"interrupted or failed.*fit\(X\) again"):
            call(ROWS)
    assert detector.threshold is None


def test_predict_without_a_threshold_names_the_next_step():
    detector = FirstColumn()
    detector.fit(ROWS)
    with pytest.raises(ThresholdNotInferredError, match="infer_threshold"):
        detector.predict(ROWS)


def test_wrong_width_names_the_users_array(detector):
    with pytest.raises(ValueError, match=r"X has 5 .* take 6\. Select the columns") as caught:
        detector.score(ROWS[:, :5])
    assert isinstance(caught.value, AEGMMError)
    with pytest.raises(ValueError, match="one row must still be a batch"):
        detector.score(ROWS[0])


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "all"])
def test_batch_size_must_be_a_positive_number(detector, batch_size):
    with pytest.raises(ValueError, match="batch_size"):
        detector.score(ROWS, batch_size=batch_size)


def test_settings_that_would_change_nothing_are_rejected(detector):
    with pytest.raises(ConfigurationError, match="nan_policy is set when the detector is made"):
        detector.nan_policy = "flag"
    with pytest.raises(ConfigurationError, match="config is set when the detector is made"):
        detector.config = detector.config


def test_the_data_type_can_be_set(detector):
    detector.meta["data_type"] = "image"
    assert detector.predict(ROWS[:2])["meta"]["data_type"] == "image"
    assert detector.config.data_type == "image"


def test_a_copy_decides_alike_and_on_its_own(detector):
    for other in (copy.copy(detector), pickle.loads(pickle.dumps(detector))):
        np.testing.assert_array_equal(
            other.predict(ROWS)["data"]["is_outlier"], detector.predict(ROWS)["data"]["is_outlier"]
        )
        assert (other.threshold, other.threshold_inferred) == (detector.threshold, True)
        other.threshold = 1e6
        assert detector.threshold != 1e6


def test_a_copy_is_a_deep_one(detector):
    assert type(detector).__copy__ is Detector.__copy__
    detector.labels = [1]
    for other in (copy.copy(detector), copy.deepcopy(detector)):
        assert other.labels == [1]
        assert other.labels is not detector.labels


def test_a_class_that_is_not_registered_is_not_saved(detector, tmp_path):
    with pytest.raises(ArtefactError, match="it got a FirstColumn"):
        save_detector(detector, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
