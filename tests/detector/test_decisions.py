"""Thresholds, p-values and false-discovery rates of a detector whose scores are known."""

import inspect
import logging
import re

import numpy as np
import pytest

from aegmm_detect.calibration import Calibration
from aegmm_detect.detector.base import Detector
from aegmm_detect.detector.threshold_methods import METHODS
from aegmm_detect.exceptions import (
    ConfigurationError,
    InvalidInputError,
    NotCalibratedError,
    NotFittedError,
    ThresholdNotInferredError,
)
from aegmm_detect.numerics import labelled_thresholds, thresholds
from aegmm_detect.row_sketch import RowSketch, RowSketchFit
from tests.detector.stub import FirstColumn, Seen

RNG = np.random.default_rng(0)
TRAIN = RNG.gumbel(size=(400, 3))
INLIERS = RNG.gumbel(size=(1000, 3))
MIXED = np.r_[RNG.gumbel(size=(950, 3)), RNG.gumbel(12.0, 1.0, size=(50, 3))]
Y = np.repeat([0, 1], [950, 50])
SOME_INLIERS = np.repeat([0, -1], [300, 700])


@pytest.fixture
def detector():
    detector = FirstColumn()
    detector.fit(TRAIN)
    return detector


GIVEN = {
    "percentile": (INLIERS, {"threshold_perc": 90.0}, lambda s: thresholds.percentile(s, 90.0)),
    "contamination": (
        MIXED,
        {"contamination": 0.05},
        lambda s: thresholds.contamination(s, 0.05),
    ),
    "fpr": (INLIERS, {"fpr": 0.01}, lambda s: thresholds.conformal(s, 0.01)),
    "pot": (INLIERS, {"fpr": 1e-4}, lambda s: thresholds.pot(s, 1e-4)),
    "mad": (MIXED, {"k": 3.0}, lambda s: thresholds.mad(s, 3.0)),
    "fbeta": (MIXED, {"y": Y, "beta": 2.0}, lambda s: labelled_thresholds.fbeta(s, Y, 2.0)),
    "youden": (MIXED, {"y": Y}, lambda s: labelled_thresholds.youden(s, Y)),
    "inliers": (
        MIXED,
        {"y": SOME_INLIERS, "fpr": 0.02},
        lambda s: labelled_thresholds.inliers(s, SOME_INLIERS, 0.02),
    ),
    "pu": (MIXED, {"y": SOME_INLIERS}, lambda s: labelled_thresholds.pu(s, SOME_INLIERS)),
}
EACH = pytest.mark.parametrize("method", METHODS)


@EACH
def test_every_method_is_its_function_of_the_scores(detector, method, caplog):
    X, given, want = GIVEN[method]
    threshold = detector.infer_threshold(X, method=method, **given)
    assert type(threshold) is float
    assert threshold == detector.threshold == want(X[:, 0].astype("float32"))
    assert not caplog.records


@EACH
def test_rows_with_nan_and_their_labels_do_not_count(method):
    detector = FirstColumn(nan_policy="flag")
    detector.fit(TRAIN)
    X, given, _ = GIVEN[method]
    want = detector.infer_threshold(X, method=method, **given)
    at = [0, 17, 500]
    broken = np.insert(X, at, np.nan, axis=0)
    if "y" in given:
        given = {**given, "y": np.insert(given["y"], at, [1, 0, 0])}
    if method == "pu":
        given = {**given, "y": np.where(given["y"] == 1, -1, given["y"])}
    assert detector.infer_threshold(broken, method=method, **given) == want


VALUES = {"threshold_perc": 90.0, "y": Y, "fpr": 0.1, "contamination": 0.1, "beta": 1.0, "k": 3.0}


@EACH
@pytest.mark.parametrize("argument", VALUES)
def test_an_argument_of_no_use_is_refused_before_rows_are_read(detector, method, argument):
    if argument in METHODS[method].takes:
        return
    arguments = {name: VALUES[name] for name in METHODS[method].needs} | {
        argument: VALUES[argument]
    }
    with pytest.raises(ConfigurationError, match=rf"{method}.* would ignore {argument}=: it takes"):
        detector.infer_threshold(None, method=method, **arguments)


@EACH
def test_a_missing_argument_is_named(detector, method):
    for missing in METHODS[method].needs:
        if missing == "threshold_perc":  # it has a default
            continue
        arguments = {name: VALUES[name] for name in METHODS[method].needs if name != missing}
        with pytest.raises(ConfigurationError, match=rf"{method}.* needs {missing}="):
            detector.infer_threshold(None, method=method, **arguments)


@EACH
def test_arguments_are_named_as_in_infer_threshold(method):
    known = inspect.signature(Detector.infer_threshold).parameters
    assert set(METHODS[method].takes) <= set(known)


def test_the_default_percentage_may_be_written_out_to_give_a_batch_size(detector):
    by_position = detector.infer_threshold(INLIERS, 95.0, 100, method="fpr", fpr=0.01)
    assert by_position == detector.infer_threshold(INLIERS, method="fpr", fpr=0.01)


@pytest.mark.parametrize("method", ["quantile", "", None, 3, ["fpr"]])
def test_an_unknown_method_is_refused_with_the_known_ones(detector, method):
    with pytest.raises(ConfigurationError, match=r"method=.*choose one of percentile, .*, pu"):
        detector.infer_threshold(INLIERS, method=method)


@pytest.mark.parametrize(
    ("method", "arguments", "problem"),
    [
        ("fpr", {"fpr": 5}, "fpr=5"),
        ("contamination", {"contamination": 5.0}, r"contamination=5\.0"),
        ("mad", {"k": -1}, "k=-1"),
        ("fbeta", {"y": Y, "beta": 0}, "beta=0"),
        ("youden", {"y": ["a", "b"]}, "<U1 values"),
    ],
)
def test_a_value_out_of_range_is_refused_before_rows_are_read(detector, method, arguments, problem):
    with pytest.raises(ValueError, match=problem):
        detector.infer_threshold(None, method=method, **arguments)


def test_labels_must_be_as_many_as_rows(detector):
    with pytest.raises(InvalidInputError, match="y has 1000 labels, but X has 999 rows"):
        detector.infer_threshold(MIXED[1:], method="youden", y=Y)


def test_a_refused_threshold_leaves_the_former_one(detector):
    before = detector.infer_threshold(INLIERS)
    with pytest.raises(InvalidInputError, match="1000 rows are too few"):
        detector.infer_threshold(INLIERS, method="fpr", fpr=1e-4)
    assert detector.threshold == before


@pytest.mark.parametrize("method", ["fpr", "pot"])
def test_a_promised_rate_for_trained_rows_is_warned_of(detector, method, caplog):
    X = np.r_[INLIERS, TRAIN[:100]]
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        detector.infer_threshold(X, method=method, fpr=0.05)
    assert "100 of 1100 rows of X equal rows that were trained on" in caplog.text
    assert "more inliers will be above the threshold" in caplog.text
    caplog.clear()
    detector.infer_threshold(X)
    detector.infer_threshold(X, method=method, fpr=0.05, check_trained=False)
    assert not caplog.records


def test_of_labelled_rows_only_inliers_have_to_be_held_out(detector, caplog):
    X = np.r_[INLIERS, TRAIN[:100]]
    unlabelled = np.repeat([0, -1], [1000, 100])
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        detector.infer_threshold(X, batch_size=300, method="inliers", y=unlabelled, fpr=0.05)
        assert not caplog.records
        y = np.zeros(1100, dtype=int)
        detector.infer_threshold(X, batch_size=300, method="inliers", y=y, fpr=0.05)
    assert "100 of 1100 rows of X equal rows that were trained on" in caplog.text


def test_calibration_keeps_the_scores_of_held_out_rows(detector, caplog):
    assert detector.calibration is None
    calibration = detector.calibrate(INLIERS)
    assert calibration is detector.calibration
    np.testing.assert_array_equal(calibration.scores, np.sort(INLIERS[:, 0].astype("float32")))
    assert not caplog.records


def test_p_values_come_if_asked_for_before_the_decisions(detector):
    detector.threshold = 3.0
    detector.calibrate(INLIERS)
    data = detector.predict(MIXED, return_p_value=True)["data"]
    assert list(data) == ["instance_score", "feature_score", "p_value", "is_outlier"]
    want = Calibration(INLIERS[:, 0].astype("float32")).p_values(MIXED[:, 0].astype("float32"))
    np.testing.assert_array_equal(data["p_value"], want)
    assert data["p_value"].dtype == np.float64
    plain = detector.predict(MIXED)["data"]
    assert list(plain) == ["instance_score", "feature_score", "is_outlier"]
    np.testing.assert_array_equal(plain["is_outlier"], data["is_outlier"])


def test_p_values_do_not_depend_on_the_other_rows(detector):
    detector.threshold = 3.0
    detector.calibrate(INLIERS)
    whole = detector.predict(MIXED, return_p_value=True)["data"]["p_value"]
    part = detector.predict(MIXED[:7], 2, return_p_value=True)["data"]["p_value"]
    np.testing.assert_array_equal(part, whole[:7])


def test_a_false_discovery_rate_decides_without_a_threshold(detector):
    detector.calibrate(INLIERS)
    data = detector.predict(MIXED, fdr=0.1)["data"]
    assert data["is_outlier"].dtype == np.int64
    want = detector.calibration.discoveries(data["instance_score"], 0.1)
    np.testing.assert_array_equal(data["is_outlier"], want)
    assert data["is_outlier"][950:].mean() > 0.9
    detector.threshold = 1e9
    np.testing.assert_array_equal(detector.predict(MIXED, fdr=0.1)["data"]["is_outlier"], want)
    with pytest.raises(ConfigurationError, match=r"fdr=0: pass a number between 0 and 1"):
        detector.predict(None, fdr=0)


def test_rows_with_nan_do_not_calibrate_and_are_outliers_with_the_smallest_p_value():
    detector = FirstColumn(nan_policy="flag")
    detector.fit(TRAIN)
    detector.calibrate(np.insert(INLIERS, [3, 5], np.nan, axis=0))
    assert detector.calibration.n == 1000
    X = np.zeros((3, 3))
    X[1, 2] = np.inf
    data = detector.predict(X, fdr=0.1, return_p_value=True)["data"]
    assert data["is_outlier"].tolist() == [0, 1, 0]
    assert data["p_value"][1] == 1 / 1001
    with pytest.raises(InvalidInputError, match="no usable rows to calibrate on"):
        detector.calibrate(np.full((2, 3), np.nan))


def test_what_is_missing_is_named(detector):
    with pytest.raises(NotCalibratedError, match=r"FirstColumn\.calibrate\(X\)"):
        detector.predict(None, fdr=0.1)
    with pytest.raises(ThresholdNotInferredError, match="infer_threshold"):
        detector.predict(None, return_p_value=True)
    detector.threshold = 1.0
    with pytest.raises(NotCalibratedError, match=r"calibrate\(X\) on inliers that were not"):
        detector.predict(None, return_p_value=True)
    with pytest.raises(NotFittedError, match=r"calibrate\(\) needs a fitted detector"):
        FirstColumn(1.0).calibrate(INLIERS)


@pytest.mark.parametrize("n", [1, 5, 400])
def test_calibration_on_trained_rows_is_refused(detector, n):
    before = detector.calibrate(INLIERS)
    for X in (TRAIN[:n], lambda: np.array_split(TRAIN[:n], 3)):
        with pytest.raises(InvalidInputError, match=rf"{n} of {n} rows of X were trained on"):
            detector.calibrate(X)
    assert detector.calibration is before
    assert detector.calibrate(TRAIN[:n], check_trained=False).n == n


def test_some_trained_rows_are_warned_of(detector, caplog):
    X = np.r_[INLIERS[:300], TRAIN[:100]]
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        detector.calibrate(X)
        assert "100 of 400 rows of X equal rows that were trained on" in caplog.text
        assert "p-values come out too small" in caplog.text
        caplog.clear()
        detector.calibrate(X, check_trained=False)
        detector.calibrate(INLIERS)
    assert not caplog.records


def test_a_full_sketch_refuses_only_what_it_has_seen_enough_of(detector, caplog):
    fit = RowSketchFit(RowSketch(most=100))
    fit.update(TRAIN)
    detector._adopt(Seen((3,), fit.finish()))
    with pytest.raises(InvalidInputError, match=r"(\d+) of \1 rows compared of X were trained on"):
        detector.calibrate(TRAIN)
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        detector.calibrate(TRAIN[:20])  # some five of them can be compared
    assert "rows compared of X equal rows that were trained on" in caplog.text


def test_a_detector_that_does_not_know_its_training_rows_takes_any(detector, caplog):
    detector._adopt(Seen((3,), None))
    assert detector.calibrate(TRAIN).n == 400
    assert not caplog.records


def test_a_new_fit_clears_what_was_learned_from_the_former_scores(detector, caplog):
    detector.infer_threshold(INLIERS)
    detector.calibrate(INLIERS)
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        detector.fit(TRAIN)
    assert detector.threshold is None
    assert detector.calibration is None
    first, second = caplog.messages
    assert "inferred for the former fit and is cleared: call infer_threshold again" in first
    assert "calibration on 1000 rows was made for the former fit and is cleared" in second
    caplog.clear()
    detector.fit(TRAIN)
    assert not caplog.records


def test_a_threshold_that_was_given_outlives_a_change_of_scores(caplog):
    detector = FirstColumn(threshold=2.0)
    detector.fit(TRAIN)
    detector.calibrate(INLIERS)
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        detector._held.forget("the former scores")
    assert detector.threshold == 2.0
    assert detector.calibration is None
    (message,) = caplog.messages
    assert "for the former scores and is cleared: call calibrate again" in message
    assert detector.predict(MIXED)["data"]["is_outlier"].sum() > 0


def test_new_arguments_are_keyword_only(detector):
    with pytest.raises(TypeError, match="positional"):
        detector.infer_threshold(INLIERS, 95.0, 100, "fpr")
    with pytest.raises(TypeError, match="positional"):
        detector.predict(INLIERS, 100, True, True)


def test_a_detector_without_explanations_says_so(detector):
    detector.threshold = 0.0
    with pytest.raises(ConfigurationError, match="leave return_feature_score out"):
        detector.predict(MIXED, return_feature_score=True)


@pytest.mark.parametrize("value", ["1.5", True, float("nan"), [1.0]])
def test_a_threshold_is_a_number(detector, value):
    before = detector.threshold
    with pytest.raises(ConfigurationError, match=r"threshold=.* is not a number"):
        detector.threshold = value
    assert detector.threshold == before


@pytest.mark.parametrize(
    "arguments",
    [{"threshold_perc": 90.0}, {"method": "contamination", "contamination": 0.1}],
    ids=["percentile", "contamination"],
)
def test_a_batch_too_small_for_a_single_outlier_is_warned_of(detector, caplog, arguments):
    rows = np.arange(30.0).reshape(10, 3)
    detector.infer_threshold(rows, **arguments)
    assert not caplog.text
    detector.infer_threshold(rows[:9], **arguments)
    assert "9 rows is less than one row" in caplog.text
    assert "at least 10 rows" in caplog.text


def test_calibration_rows_too_few_for_small_p_values_are_warned_of(detector, caplog):
    rows = 1e6 + np.arange(57.0).reshape(19, 3)
    detector.calibrate(rows)
    assert not caplog.text
    detector.calibrate(rows[:18])
    assert "18 calibration rows" in caplog.text
    assert "at least 19 rows" in caplog.text


def test_turning_off_a_check_that_there_is_not_is_refused(detector):
    with pytest.raises(ConfigurationError, match="'mad' looks for no trained rows"):
        detector.infer_threshold(MIXED, method="mad", check_trained=False)


# --- thresholds that do something else than one thinks ------------------------------------------


def with_scores(scores):
    return np.repeat(np.asarray(scores, dtype="float64")[:, None], 3, axis=1)


ASKED = [
    ("percentile", {"threshold_perc": 75.0}),
    ("contamination", {"contamination": 0.25}),
    ("fpr", {"fpr": 0.25}),
    ("inliers", {"fpr": 0.25, "y": np.zeros(400, dtype=int)}),
]


@pytest.mark.parametrize(("method", "given"), ASKED)
def test_ties_that_leave_rows_unflagged_are_warned_of(detector, method, given, caplog):
    """Asked for a quarter, it flags nobody, or far fewer."""
    for scores, n_flagged in [
        (np.repeat([0.0, 1.0], [200, 200]), 0),
        (np.r_[np.linspace(0, 1, 200), np.full(150, 2.0), np.linspace(3, 4, 50)], 50),
    ]:
        caplog.clear()
        X = with_scores(scores)
        detector.infer_threshold(X, method=method, **given)
        assert detector.predict(X)["data"]["is_outlier"].sum() == n_flagged
        (record,) = caplog.records
        assert re.search(rf"of 400 rows were to be flagged, but {n_flagged} are", record.message)


@pytest.mark.parametrize(("method", "given"), ASKED)
@pytest.mark.parametrize("seed", range(3))
def test_different_scores_are_flagged_as_asked_without_a_word(
    detector, method, given, seed, caplog
):
    rng = np.random.default_rng(seed)
    for scores in (rng.gumbel(size=400), np.round(rng.gumbel(size=400), 2)):
        detector.infer_threshold(with_scores(scores), method=method, **given)
    assert not caplog.records


@pytest.mark.parametrize("method", ["fbeta", "youden"])
def test_labels_that_are_turned_round_are_warned_of(detector, method, caplog):
    detector.infer_threshold(MIXED, method=method, y=Y)
    assert not caplog.records
    detector.infer_threshold(MIXED, method=method, y=1 - Y)
    (record,) = caplog.records
    assert "Are the labels swapped? y is 1 for outliers" in record.message


def test_a_threshold_that_flags_every_labelled_row_is_warned_of(detector, caplog):
    scores = np.random.default_rng(0).permutation(100) + 1.0
    y = np.r_[np.ones(90, dtype=int), np.zeros(10, dtype=int)]
    detector.infer_threshold(with_scores(scores), method="fbeta", y=y)
    (record,) = caplog.records
    assert "flags all 100 labelled rows, also the 10 inliers" in record.message


def test_labels_that_say_nothing_are_not_called_turned_round(detector, caplog):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = rng.permutation(np.repeat([0, 1], 50))
        detector.infer_threshold(with_scores(rng.normal(size=100)), method="youden", y=y)
    assert "swapped?" not in caplog.text
