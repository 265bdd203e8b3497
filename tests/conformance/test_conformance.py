"""The laws that every registered detector keeps. What the base does is proved in tests/detector."""

import copy
import logging
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError, NotFittedError
from aegmm_detect.programs.tracing import SCORING
from aegmm_detect.registry import get_detector
from aegmm_detect.saving import load_detector, save_detector

N_FEATURES = 6
# Equality to the last bit is promised of programs as users have them.
pytestmark = pytest.mark.xla


def test_scores_are_one_finite_float32_per_row(once, normal_rows):
    scores = once.score(normal_rows)
    assert scores.shape == (len(normal_rows),)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > len(scores) // 2


@pytest.mark.parametrize("batch_size", [1, 3, 64, 65, 10**9, 1e10])
def test_scores_do_not_depend_on_the_batch_size(once, normal_rows, batch_size):
    rows = normal_rows[:200] if batch_size < 64 else normal_rows
    np.testing.assert_array_equal(
        once.score(rows, batch_size=batch_size), once.score(normal_rows)[: len(rows)]
    )


def test_scores_do_not_depend_on_how_long_the_batch_is(once, normal_rows):
    long = np.tile(normal_rows, (20, 1))  # long enough for the program of many tiles
    np.testing.assert_array_equal(once.score(long), np.tile(once.score(normal_rows), 20))


def test_row_order_changes_nothing_but_order(once, normal_rows):
    order = np.random.default_rng(0).permutation(len(normal_rows))
    np.testing.assert_array_equal(once.score(normal_rows[order]), once.score(normal_rows)[order])


def test_same_seed_same_scores_other_seed_other_scores(make, once, quick, normal_rows):
    want = once.score(normal_rows)
    detector = make(seed=4)
    detector.fit(normal_rows, **quick)
    random = not np.array_equal(detector.score(normal_rows), want)
    assert random == bool(quick)  # what has no steps draws no random numbers
    if not random:
        detector.fit(normal_rows[:300])
        assert not np.array_equal(detector.score(normal_rows), want)
    detector.fit(normal_rows, **quick, seed=3)  # nothing is left of the fit before
    np.testing.assert_array_equal(detector.score(normal_rows), want)


def test_far_rows_are_outliers_with_scores_of_their_own(once, normal_rows):
    far = normal_rows[:1] * np.array([[1e2], [1e3], [1e4], [1e5]])
    scores = once.score(far)
    assert np.isfinite(scores).all()
    assert (scores > once.score(normal_rows).max()).all()
    assert len(np.unique(scores)) == 4


def test_non_finite_rows_can_be_flagged_and_leave_the_others_alone(make, once, quick, normal_rows):
    rows = np.concatenate([normal_rows, normal_rows[:2]])
    rows[[600, 601], 2] = [np.nan, np.inf]
    flagging = make(nan_policy="flag")
    flagging.fit(rows, **quick)
    scores = flagging.score(rows)
    assert np.isnan(scores[600:]).all()
    np.testing.assert_array_equal(scores[:600], once.score(normal_rows))
    with pytest.raises(InvalidInputError, match=r"2 rows \(first: 600, 601\)"):
        once.score(rows)
    with pytest.raises(InvalidInputError, match=r"2 rows \(first: 600, 601\)"):
        once.fit(rows, **quick)
    np.testing.assert_array_equal(once.score(normal_rows), scores[:600])  # as it was


def test_a_stream_is_fitted_like_rows_in_memory(needs, make, quick, normal_rows):
    needs("stream")
    detector = make()
    detector.fit(lambda: np.array_split(normal_rows, 7), **quick)
    scores = detector.score(lambda: np.array_split(normal_rows, 7))
    np.testing.assert_array_equal(scores, detector.score(normal_rows))


def saved_and_loaded(detector, path):
    save_detector(detector, path)
    return load_detector(path)


COPIES = {
    # As in a directory: see tests/saving.
    "file": lambda detector, folder: saved_and_loaded(detector, folder / "saved.aegmm"),
    "pickle": lambda detector, _: pickle.loads(pickle.dumps(detector)),
    # As `copy.deepcopy`, which it calls: see tests/detector.
    "copy": lambda detector, _: copy.copy(detector),
}
WAYS = pytest.mark.parametrize("way", COPIES)


def nets_of(detector):
    nets = getattr(detector, "net", None)
    return [] if nets is None else nets.get_weights()


@WAYS
def test_a_copy_decides_alike_and_shares_nothing(
    way, needs, once, wanted, quick, normal_rows, tmp_path
):
    needs("save")
    other = COPIES[way](once, tmp_path)
    got = other.predict(normal_rows)
    assert got["meta"] == wanted["meta"]
    for key, value in wanted["data"].items():
        np.testing.assert_array_equal(got["data"][key], value)
    threshold = once.threshold
    assert (other.threshold, other.threshold_inferred) == (threshold, True)
    assert other.config == once.config
    assert getattr(other, "fit_config", None) == getattr(once, "fit_config", None)
    weights = nets_of(once)
    if weights:
        other.net.set_weights([0.0 * weight for weight in weights])
        for mine, before in zip(nets_of(once), weights, strict=True):
            np.testing.assert_array_equal(mine, before)
    if way == "file":  # a loaded detector trains as the saved one
        other.fit(normal_rows, **quick)  # by the same seed
        assert other.threshold is None  # it was inferred
        np.testing.assert_array_equal(other.score(normal_rows), wanted["data"]["instance_score"])
    other.threshold = 1e6
    assert once.threshold == threshold != 1e6
    np.testing.assert_array_equal(once.score(normal_rows), wanted["data"]["instance_score"])


def test_a_detector_that_is_not_fitted_can_be_copied(needs, make, normal_rows, tmp_path):
    needs("save")
    detector = make(threshold=3.0)
    for way in ("file", "pickle", "copy"):
        other = COPIES[way](detector, tmp_path)
        assert not other.fitted
        assert (other.threshold, other.threshold_inferred) == (3.0, False)
        with pytest.raises(NotFittedError):
            other.score(normal_rows)


def test_feature_scores_come_if_asked_for_in_the_shape_of_the_rows(
    needs, once, normal_rows, monkeypatch
):
    needs("explain")
    monkeypatch.setitem(SCORING, "mode", "graph")  # no law of bits
    rows = normal_rows[:70]
    assert once.predict(rows)["data"]["feature_score"] is None
    found = once.predict(rows, return_feature_score=True)["data"]["feature_score"]
    assert (found.shape, found.dtype) == (rows.shape, np.float32)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    assert (found >= 0.0).all()
    order = np.random.default_rng(0).permutation(len(rows))
    again = once.predict(rows[order], return_feature_score=True)["data"]["feature_score"]
    np.testing.assert_allclose(again, found[order], rtol=1e-3, atol=1e-5)


def test_what_it_cannot_explain_is_said(entry, once, normal_rows):
    if "explain" in entry.can:
        pytest.skip("it can")
    with pytest.raises(ConfigurationError, match="does not say which features"):
        once.predict(normal_rows[:2], return_feature_score=True)


def test_updates_learn_from_new_rows_or_say_why_not(entry, detector, normal_rows):
    if not hasattr(detector, "update"):
        assert "update" not in entry.can
        return
    before = detector.score(normal_rows)
    if "update" not in entry.can:
        with pytest.raises(ConfigurationError):
            detector.update(normal_rows)
        np.testing.assert_array_equal(detector.score(normal_rows), before)
        return
    detector.update(normal_rows[:200] + 1.0)
    assert detector.threshold is None
    assert not np.array_equal(detector.score(normal_rows), before)


def test_labels_are_learned_from_or_rejected(entry, make, once, quick, normal_rows, monkeypatch):
    monkeypatch.setitem(SCORING, "mode", "graph")  # no law of bits
    labels = np.repeat([0, 1], [500, 100])
    detector = make()
    if "labels" in entry.can:
        detector.fit(normal_rows, **quick, y=labels)
        # The same seed without labels. More than a graph differs from XLA.
        found, without = detector.score(normal_rows), once.score(normal_rows)
        assert not np.allclose(found, without, rtol=1e-2, atol=1e-2)
    elif get_detector(type(detector).__name__).__name__ != "PerClassAEGMM":  # whose y are classes
        with pytest.raises((ConfigurationError, TypeError)):
            detector.fit(normal_rows, **quick, y=labels)


def test_exports_are_the_detector_or_rejected(entry, once, normal_rows, tmp_path):
    path = tmp_path / "export"
    if "export" not in entry.can:
        if hasattr(once, "export"):
            with pytest.raises(ConfigurationError):
                once.export(path)
        assert not path.exists()
        return
    once.export(path)
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    found = served(
        x=tf.constant(normal_rows, dtype=served.structured_input_signature[1]["x"].dtype)
    )
    want = once.predict(normal_rows)["data"]
    np.testing.assert_allclose(
        found["instance_score"], want["instance_score"], rtol=1e-3, atol=1e-3
    )
    assert np.mean(found["is_outlier"] != want["is_outlier"]) < 0.01


def test_a_detector_without_a_threshold_says_how_to_get_one(make, caplog):
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        make()
    assert "infer_threshold(X) after fit" in caplog.text


def easy_set():
    """Rows near a curve, by class, and others whose columns are as usual, but not together."""
    rng = np.random.default_rng(0)
    place = rng.uniform(-2.0, 2.0, size=(900, 1))
    X = np.hstack([np.sin(place * rate) for rate in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)])
    X = (X + 0.05 * rng.normal(size=X.shape)).astype("float32")
    strange = rng.permuted(X[:150], axis=0)
    return X[:600], np.concatenate([X[600:], strange]), np.repeat([0, 1], [300, 150])


def test_on_an_easy_set_it_beats_chance_and_the_untrained_net(
    name, entry, make, quick, monkeypatch
):
    monkeypatch.setitem(SCORING, "mode", "graph")  # no law of bits
    X, new, y = easy_set()
    if not quick:
        detector = make(normalize="standard")
        detector.fit(X)
        assert roc_auc_score(y, detector.score(new)) > 0.75
        return

    def found(learning_rate, epochs):
        settings, more = {"seed": 0, "threshold": 0.0}, {}
        if entry.make == "auto":
            # The other laws have trained such nets already. Not by the recipe's densities, which
            # see principal components too: beside those, no net is needed here.
            usual = getattr(get_detector(name), "AUTO_FIT", get_detector("OutlierAEGMM").AUTO_FIT)
            settings["fit_config"] = usual.replace(
                learning_rate=learning_rate, density=DensityConfig()
            )
        else:
            settings["normalize"] = "standard"
            more["optimizer"] = keras.optimizers.Adam(learning_rate)
        detector = make(**settings)
        detector.fit(X, **{**quick, **more, "epochs": epochs})
        return roc_auc_score(y, detector.score(new))

    trained, untrained = found(3e-3, 20 if entry.make == "auto" else 60), found(1e-12, 1)
    assert trained > 0.75
    assert trained > untrained
