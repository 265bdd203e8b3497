"""The laws that every registered detector keeps."""

import copy
import logging
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from aegmm_detect.exceptions import (
    AEGMMError,
    ConfigurationError,
    InvalidInputError,
    NotFittedError,
    ThresholdNotInferredError,
)
from aegmm_detect.registry import DETECTORS, get_detector
from aegmm_detect.saving import load_detector, save_detector

N_FEATURES = 6
QUICK = {"epochs": 2, "batch_size": 64, "verbose": 0}


def make(name, **settings):
    # One detector stands for all with an ensemble, which they share; it takes time to compile.
    nets = {} if name == "OutlierAEGMM" else {"ensemble": 1}
    return get_detector(name).auto(N_FEATURES, **{"seed": 3, **nets, **settings})


@pytest.fixture(scope="module", params=sorted(DETECTORS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def detector(name, normal_rows):
    detector = make(name)
    detector.fit(normal_rows, **QUICK)
    detector.infer_threshold(normal_rows, 90.0)
    return detector


def test_scores_are_one_finite_float32_per_row(detector, normal_rows):
    scores = detector.score(normal_rows)
    assert scores.shape == (len(normal_rows),)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > len(scores) // 2


@pytest.mark.parametrize("batch_size", [1, 2, 3, 64, 65, 599, 10**9, 1e10])
def test_scores_do_not_depend_on_the_batch_size(detector, normal_rows, batch_size):
    rows = normal_rows[:200] if batch_size == 1 else normal_rows
    np.testing.assert_array_equal(
        detector.score(rows, batch_size=batch_size), detector.score(normal_rows)[: len(rows)]
    )


def test_scores_do_not_depend_on_how_long_the_batch_is(detector, normal_rows):
    long = np.tile(normal_rows, (20, 1))  # long enough for the program of many tiles
    np.testing.assert_array_equal(detector.score(long), np.tile(detector.score(normal_rows), 20))


def test_row_order_changes_nothing_but_order(detector, normal_rows):
    order = np.random.default_rng(0).permutation(len(normal_rows))
    np.testing.assert_array_equal(
        detector.score(normal_rows[order]), detector.score(normal_rows)[order]
    )


def test_same_seed_same_scores_other_seed_other_scores(name, detector, normal_rows):
    again, other = make(name), make(name, seed=4)
    again.fit(normal_rows, **QUICK)
    other.fit(normal_rows, **QUICK)
    np.testing.assert_array_equal(again.score(normal_rows), detector.score(normal_rows))
    assert not np.array_equal(other.score(normal_rows), detector.score(normal_rows))


def test_the_seed_of_fit_makes_an_unseeded_detector_repeatable(name, normal_rows):
    first, second = make(name, seed=None), make(name, seed=None)
    first.fit(normal_rows, **QUICK, seed=11)
    second.fit(normal_rows, **QUICK, seed=11)
    np.testing.assert_array_equal(first.score(normal_rows), second.score(normal_rows))


def test_input_is_left_untouched(name, normal_rows):
    before = normal_rows.copy()
    detector = make(name)
    detector.fit(normal_rows, **QUICK)
    detector.infer_threshold(normal_rows)
    detector.predict(normal_rows)
    np.testing.assert_array_equal(normal_rows, before)


def test_fit_does_not_touch_global_random_state(name, normal_rows):
    np.random.seed(5)  # noqa: NPY002
    want = np.random.get_state()[1].copy()  # noqa: NPY002
    make(name).fit(normal_rows[:200], **QUICK)
    np.testing.assert_array_equal(np.random.get_state()[1], want)  # noqa: NPY002


def test_predict_returns_what_monitoring_code_reads(name, detector, normal_rows):
    result = detector.predict(normal_rows)
    assert list(result) == ["data", "meta"]
    assert list(result["data"]) == ["instance_score", "feature_score", "is_outlier"]
    assert result["data"]["feature_score"] is None
    assert result["data"]["instance_score"].dtype == np.float32
    is_outlier = result["data"]["is_outlier"]
    assert is_outlier.dtype == np.int64
    np.testing.assert_array_equal(
        is_outlier, (detector.score(normal_rows) > detector.threshold).astype(int)
    )
    assert sorted(result["meta"]) == ["data_type", "detector_type", "name", "online", "version"]
    assert result["meta"]["name"] == name
    short = detector.predict(normal_rows, return_instance_score=False)["data"]
    assert short["instance_score"] is None


def test_calibrated_decisions_keep_the_order_of_scores(name, normal_rows):
    detector = make(name)
    detector.fit(normal_rows[:400], **QUICK)
    with pytest.raises(InvalidInputError, match="100 of 100 rows of X were trained on"):
        detector.calibrate(normal_rows[:100].astype("float64"))
    detector.calibrate(normal_rows[400:])
    data = detector.predict(normal_rows * 3.0, return_p_value=True, fdr=0.5)["data"]
    assert list(data) == ["instance_score", "feature_score", "p_value", "is_outlier"]
    order = np.argsort(data["instance_score"])
    assert (np.diff(data["p_value"][order]) <= 0).all()
    assert (np.diff(data["is_outlier"][order]) >= 0).all()
    detector.fit(normal_rows, **QUICK)
    assert detector.calibration is None


def test_callers_may_write_into_the_meta_they_get(detector, normal_rows):
    before = copy.deepcopy(detector.meta)
    detector.predict(normal_rows[:3])["meta"]["name"] = "mine"
    assert detector.meta == before


def test_a_score_equal_to_the_threshold_is_no_outlier(detector, normal_rows):
    threshold, scores = detector.threshold, detector.score(normal_rows)
    try:
        detector.threshold = float(scores[5])
        assert detector.predict(normal_rows)["data"]["is_outlier"][5] == 0
    finally:
        detector.threshold = threshold


def test_inferred_threshold_is_the_percentile_and_a_float(detector, normal_rows):
    scores = detector.score(normal_rows)
    for perc in (50.0, 90.0, 95.0):
        threshold = detector.infer_threshold(normal_rows, threshold_perc=perc)
        assert type(threshold) is float
        assert threshold == detector.threshold
        assert abs((scores <= threshold).mean() - perc / 100) <= 1.0 / len(scores) + 1e-9


def test_a_share_in_place_of_a_percentage_works_and_is_logged(detector, normal_rows, caplog):
    before = detector.threshold
    try:
        with caplog.at_level(logging.WARNING, "aegmm_detect"):
            low = detector.infer_threshold(normal_rows, threshold_perc=0.95)
            assert "If you mean a share, pass threshold_perc=95." in caplog.text
            caplog.clear()
            assert low < detector.infer_threshold(normal_rows, threshold_perc=1)
            detector.infer_threshold(normal_rows, threshold_perc=0)
            assert not caplog.records
    finally:
        detector.threshold = before


@pytest.mark.parametrize("perc", ["95", None, [95.0], 101])
def test_a_percentage_that_is_none_is_refused_before_rows_are_read(detector, perc):
    before = detector.threshold

    def explode():
        raise AssertionError("read too early")

    with pytest.raises(ConfigurationError, match="pass a number from 0 to 100, such as 95"):
        detector.infer_threshold(explode, threshold_perc=perc)
    assert detector.threshold == before


def test_a_threshold_in_words_is_refused_and_names_infer_threshold(name):
    with pytest.raises(ConfigurationError, match=r"'high' is not a number.*infer_threshold"):
        make(name, threshold="high")


def test_no_rows_no_scores(detector):
    assert detector.score(np.empty((0, N_FEATURES))).shape == (0,)


def test_far_rows_are_outliers_with_scores_of_their_own(detector, normal_rows):
    far = normal_rows[:1] * np.array([[1e2], [1e3], [1e4], [1e5]])
    scores = detector.score(far)
    assert np.isfinite(scores).all()
    assert (scores > detector.score(normal_rows).max()).all()
    assert len(np.unique(scores)) == 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_rows_are_refused_by_number(detector, normal_rows, bad):
    rows = normal_rows[:9].copy()
    rows[[4, 7], 2] = bad
    for call in (detector.score, detector.predict, detector.infer_threshold):
        with pytest.raises(ValueError, match=r"2 rows \(first: 4, 7\)"):
            call(rows)


def test_columns_with_nan_are_named_where_names_are_known(name, normal_rows):
    frame = pd.DataFrame(normal_rows, columns=list("abcdef"))
    detector = make(name)
    detector.fit(frame, **QUICK)
    frame.loc[[4, 7], "c"] = np.nan
    for X in (frame, frame.to_numpy()):
        with pytest.raises(ValueError, match=r"2 rows \(first: 4, 7\), column c\. Drop"):
            detector.score(X)


def test_fit_names_columns_with_nan_where_names_are_known(name, normal_rows):
    frame = pd.DataFrame(normal_rows, columns=list("abcdef"))
    frame.loc[[304, 307], ["c", "e"]] = np.nan
    halves = [frame[:300], frame[300:]]
    # A stream's names are those of the frames so far, whatever a later batch is.
    for X in (frame, lambda: halves, lambda: [halves[0], halves[1].to_numpy()]):
        with pytest.raises(ValueError, match=r"2 rows \(first: 304, 307\), columns c, e\. Drop"):
            make(name).fit(X, **QUICK)
    for X in (frame.to_numpy(), lambda: [half.to_numpy() for half in halves]):
        with pytest.raises(ValueError, match=r"2 rows \(first: 304, 307\)\. Drop"):
            make(name).fit(X, **QUICK)


def test_a_generator_is_refused_without_a_word_about_fit(detector, normal_rows):
    for call in (detector.score, detector.predict, detector.infer_threshold):
        with pytest.raises(ValueError, match=r"read only once.*lambda: my_batches") as caught:
            call(batch for batch in [normal_rows])
        assert "fit" not in str(caught.value)


def test_single_rows_from_a_stream_are_refused(detector, normal_rows):
    with pytest.raises(ValueError, match=r"A batch of X has shape \(6,\).*dataset\.batch"):
        detector.score(lambda: normal_rows)


def test_non_finite_rows_can_be_flagged_and_are_never_inliers(name, normal_rows):
    rows = normal_rows.copy()
    rows[[4, 7], 2] = [np.nan, np.inf]
    detector = make(name, nan_policy="flag")
    detector.fit(rows, **QUICK)
    detector.infer_threshold(rows, 95.0)
    assert np.isfinite(detector.threshold)
    data = detector.predict(rows)["data"]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(data["instance_score"])), [4, 7])
    assert data["is_outlier"][[4, 7]].tolist() == [1, 1]


def test_before_fit_every_method_says_so(name, normal_rows):
    detector = make(name)
    for call in (detector.score, detector.predict, detector.infer_threshold):
        with pytest.raises(NotFittedError, match=r"fit\(X\)"):
            call(normal_rows)


def test_predict_without_a_threshold_names_the_next_step(name, normal_rows):
    detector = make(name)
    detector.fit(normal_rows, **QUICK)
    with pytest.raises(ThresholdNotInferredError, match="infer_threshold"):
        detector.predict(normal_rows)


def test_wrong_width_names_the_users_array(detector, normal_rows):
    with pytest.raises(ValueError, match=r"X has 5 .* take 6\. Select the columns") as caught:
        detector.score(normal_rows[:, :5])
    assert isinstance(caught.value, AEGMMError)
    with pytest.raises(ValueError, match="one row must still be a batch"):
        detector.score(normal_rows[0])


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "all"])
def test_batch_size_must_be_a_positive_number(detector, normal_rows, batch_size):
    with pytest.raises(ValueError, match="batch_size"):
        detector.score(normal_rows, batch_size=batch_size)


def saved_and_loaded(detector, path):
    save_detector(detector, path)
    return load_detector(path)


COPIES = {
    "directory": lambda detector, folder: saved_and_loaded(detector, folder / "saved"),
    "file": lambda detector, folder: saved_and_loaded(detector, folder / "saved.aegmm"),
    "pickle": lambda detector, _: pickle.loads(pickle.dumps(detector)),
    "deepcopy": lambda detector, _: copy.deepcopy(detector),
    "copy": lambda detector, _: copy.copy(detector),
}


def test_feature_scores_come_if_asked_for_in_the_shape_of_the_rows(detector, normal_rows):
    rows = normal_rows[:70]
    assert detector.predict(rows)["data"]["feature_score"] is None
    found = detector.predict(rows, return_feature_score=True)["data"]["feature_score"]
    assert (found.shape, found.dtype) == (rows.shape, np.float32)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    assert (found >= 0.0).all()
    order = np.random.default_rng(0).permutation(len(rows))
    again = detector.predict(rows[order], return_feature_score=True)["data"]["feature_score"]
    np.testing.assert_allclose(again, found[order], rtol=1e-3, atol=1e-5)


# The other two come down to the same code; each way costs a compilation.
@pytest.mark.parametrize("way", ["file", "pickle", "copy"])
def test_a_copy_decides_alike_and_shares_nothing(way, detector, normal_rows, tmp_path):
    detector.infer_threshold(normal_rows, 90.0)
    other = COPIES[way](detector, tmp_path)
    want, got = detector.predict(normal_rows), other.predict(normal_rows)
    assert got["meta"] == want["meta"]
    for key, value in want["data"].items():
        np.testing.assert_array_equal(got["data"][key], value)
    assert (other.threshold, other.threshold_inferred) == (detector.threshold, True)
    assert (other.config, other.fit_config) == (detector.config, detector.fit_config)
    other.net.set_weights([0.0 * weight for weight in other.net.get_weights()])
    other.threshold = 1e6
    before = want["data"]["instance_score"]
    assert not np.array_equal(other.score(normal_rows), before)
    np.testing.assert_array_equal(detector.score(normal_rows), before)
    assert detector.threshold != 1e6


def test_a_loaded_detector_trains_as_the_saved_one(detector, normal_rows, tmp_path):
    detector.infer_threshold(normal_rows, 90.0)
    other = COPIES["file"](detector, tmp_path)
    other.fit(normal_rows, **QUICK)  # by the same seed
    assert other.threshold is None  # it was inferred
    np.testing.assert_array_equal(other.score(normal_rows), detector.score(normal_rows))


@pytest.mark.parametrize("way", COPIES)
def test_a_detector_that_is_not_fitted_can_be_copied(way, name, normal_rows, tmp_path):
    other = COPIES[way](make(name, threshold=3.0), tmp_path)
    assert not other.fitted
    assert (other.threshold, other.threshold_inferred) == (3.0, False)
    with pytest.raises(NotFittedError):
        other.score(normal_rows)


def easy_set():
    """Rows near a curve, by class, and others whose columns are as usual, but not together."""
    rng = np.random.default_rng(0)
    place = rng.uniform(-2.0, 2.0, size=(900, 1))
    X = np.hstack([np.sin(place * rate) for rate in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)])
    X = (X + 0.05 * rng.normal(size=X.shape)).astype("float32")
    strange = rng.permuted(X[:150], axis=0)
    return X[:600], np.concatenate([X[600:], strange]), np.repeat([0, 1], [300, 150])


def test_on_an_easy_set_it_beats_chance_and_the_untrained_net(name):
    X, new, y = easy_set()
    kind = get_detector(name)
    # The default, alibi-detect's 1e-7, lets the code collapse, and `fit` says so.
    more = {"w_recon": 0.05} if name == "OutlierVAEGMM" else {}
    plain = get_detector("OutlierAEGMM") if name == "PerClassAEGMM" else kind

    def found(learning_rate, epochs):
        made = plain.from_sizes(
            N_FEATURES, [24, 2], [8, 3], normalize="standard", seed=0, threshold=0.0
        )
        detector = kind(made, threshold=0.0) if plain is not kind else made
        optimizer = keras.optimizers.Adam(learning_rate)
        detector.fit(X, **more, optimizer=optimizer, epochs=epochs, batch_size=64, verbose=0)
        return roc_auc_score(y, detector.score(new))

    trained, untrained = found(3e-3, 60), found(1e-12, 1)
    assert trained > 0.75
    assert trained > untrained


def test_exports_are_the_detector_or_refused(name, detector, normal_rows, tmp_path):
    path = tmp_path / "export"
    if name == "PerClassAEGMM":
        with pytest.raises(ConfigurationError, match="export them"):
            detector.export(path)
        return
    detector.export(path)
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    found = served(
        x=tf.constant(normal_rows, dtype=served.structured_input_signature[1]["x"].dtype)
    )
    want = detector.predict(normal_rows)["data"]
    np.testing.assert_allclose(
        found["instance_score"], want["instance_score"], rtol=1e-3, atol=1e-3
    )
    assert np.mean(found["is_outlier"] != want["is_outlier"]) < 0.01
