"""Detectors of classes: what each way to judge a row must agree with."""

import copy
import logging
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegmm_detect.exceptions import (
    ArtefactError,
    ConfigurationError,
    InvalidInputError,
    NetTypeError,
    ThresholdNotInferredError,
)
from aegmm_detect.od import OutlierAEGMM, PerClassAEGMM
from aegmm_detect.per_class.labels import as_labels, class_numbers, classes_of
from aegmm_detect.per_class.nets import net_of_class, stack_per_class
from aegmm_detect.per_class.votes import votes_needed
from aegmm_detect.plot import LatentDisplay
from aegmm_detect.saving import load_detector, save_detector

N_FEATURES = 5
QUICK = {"epochs": 3, "batch_size": 32, "verbose": 0, "jit_compile": False}


def template(n_features=N_FEATURES, **settings):
    # Dropout would draw a mask of its own for each class.
    settings = {"normalize": "standard", "seed": 2, "threshold": 0.0, **settings}
    return OutlierAEGMM.from_sizes(n_features, [8, 2], [6, 2], est_dropout_ratio=None, **settings)


def labelled_rows(n_rows=(150, 150, 150), seed=0):
    """Three classes far apart, each correlated in a way of its own; labels in mixed order."""
    rng = np.random.default_rng(seed)
    parts = []
    for number, n in enumerate(n_rows):
        mixing = np.random.default_rng(number).normal(size=(N_FEATURES, N_FEATURES))
        parts.append(rng.normal(size=(n, N_FEATURES)) @ mixing + 20.0 * number)
    y = np.repeat(["cold", "warm", "hot"], n_rows)
    order = rng.permutation(len(y))
    return np.concatenate(parts)[order].astype(np.float32), y[order]


X, Y = labelled_rows()
NEW, Y_NEW = labelled_rows(seed=1)


@pytest.fixture(scope="module")
def detector():
    detector = PerClassAEGMM(template(), threshold=1.0)
    detector.fit(X, Y, **QUICK)
    detector.infer_class_thresholds(NEW, Y_NEW, 90.0)
    return detector


def test_a_row_scores_by_its_own_class_what_the_member_gives_it(detector):
    scores = detector.score(NEW, y=Y_NEW)
    assert detector.classes_ == ("cold", "hot", "warm")
    for number, label in enumerate(detector.classes_):
        own = label == Y_NEW
        member = detector.members[label]
        np.testing.assert_array_equal(scores[own], member.score(NEW[own]))
        np.testing.assert_array_equal(detector.class_scores(NEW)[:, number], member.score(NEW))
        # Decisions, too: by the thresholds of the members.
        found = detector.predict(NEW, y=Y_NEW)["data"]["is_outlier"][own]
        np.testing.assert_array_equal(found, member.predict(NEW[own])["data"]["is_outlier"])


def test_the_score_is_that_of_the_least_strange_class(detector):
    per_class = []
    for label, member in detector.members.items():
        lower, median, upper = np.percentile(member.score(X[label == Y]), [25, 50, 75])
        per_class.append((member.score(NEW) - median) / (upper - lower))
    np.testing.assert_allclose(detector.score(NEW), np.min(per_class, axis=0), rtol=1e-4, atol=1e-4)


def test_an_inlier_of_any_class_is_an_inlier(detector):
    strange = NEW + 10.0  # between the classes
    assert np.median(detector.score(NEW)) < 1.0 < np.percentile(detector.score(strange), 10)


def test_votes_are_counted_against_the_thresholds_of_the_classes(detector):
    want = sum(member.predict(NEW)["data"]["is_outlier"] for member in detector.members.values())
    np.testing.assert_array_equal(detector.votes(NEW), want)
    # Other classes reject good rows: why few votes mean little.
    assert (want >= 2).mean() > 0.9


def test_the_more_votes_are_needed_the_fewer_outliers_there_are(detector):
    flagged = [
        detector.predict(NEW, min_votes=needed)["data"]["is_outlier"] for needed in (1, 2, 3)
    ]
    assert (flagged[0] >= flagged[1]).all()
    assert (flagged[1] >= flagged[2]).all()
    assert flagged[0].sum() > flagged[2].sum()
    all_of_them = detector.predict(NEW, min_votes=1.0)["data"]
    np.testing.assert_array_equal(all_of_them["is_outlier"], flagged[2])
    np.testing.assert_array_equal(all_of_them["instance_score"], detector.votes(NEW))


@given(st.integers(1, 40), st.floats(0.0, 1.0, exclude_min=True))
def test_a_share_of_the_votes_is_the_least_number_that_reaches_it(n_classes, share):
    needed = votes_needed(share, n_classes)
    assert 1 <= needed <= n_classes
    assert needed >= share * n_classes - 1e-6
    assert needed == 1 or needed - 1 < share * n_classes
    assert votes_needed(needed / n_classes, n_classes) == needed


@pytest.mark.parametrize("wrong", [0, 4, 0.0, 1.5, True, np.nan, "5", None, [1]])
def test_votes_that_cannot_be_reached_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="whole number of classes from 1 to 3"):
        votes_needed(wrong, 3)


def test_cleaning_drops_corrupted_rows_and_keeps_most_others(detector):
    rows, bad = NEW.copy(), np.arange(0, len(NEW), 10)
    rows[bad, bad % N_FEATURES] += 300.0
    keep = detector.clean(rows, Y_NEW)
    assert keep.dtype == bool
    assert not keep[bad].any()
    assert keep.sum() > 0.8 * (len(NEW) - len(bad))
    # A row under another class's label is strange there.
    assert detector.clean(NEW, np.where(Y_NEW == "hot", "cold", Y_NEW))[Y_NEW == "hot"].mean() < 0.1


def test_training_rows_and_the_80th_percentile_are_the_original_rule(detector):
    own = copy.deepcopy(detector)
    own.infer_class_thresholds(X, Y, 80.0)
    for label in own.classes_:
        assert abs(own.clean(X, Y)[label == Y].mean() - 0.8) <= 1 / 150


def test_neither_the_names_of_classes_nor_their_order_change_a_score(detector):
    names = {"cold": 7, "warm": 3, "hot": 5}
    renamed = np.array([names[label] for label in Y])
    other = PerClassAEGMM(template(), threshold=1.0)
    other.fit(X, renamed, **QUICK)
    assert other.classes_ == (3, 5, 7)
    for label, number in names.items():
        np.testing.assert_allclose(
            other.members[number].score(NEW), detector.members[label].score(NEW), rtol=1e-4
        )
    np.testing.assert_allclose(other.score(NEW), detector.score(NEW), rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def again():
    """Fitted as `detector` is, with what it was given, and that as it was before."""
    given = X.copy(), Y.copy(), template()
    before = [weight.copy() for weight in given[2].net.get_weights()]
    other = PerClassAEGMM(given[2], threshold=1.0)
    other.fit(*given[:2], **QUICK)
    return other, given, before


def test_the_same_seed_gives_the_same_scores(detector, again):
    np.testing.assert_array_equal(again[0].class_scores(NEW), detector.class_scores(NEW))


@pytest.mark.parametrize("kind", ["standard", None])
def test_classes_learn_together_what_each_learns_alone(kind):
    together, in_turn = (
        PerClassAEGMM(member, threshold=1.0)
        for member in (template(normalize=kind), lambda n: template(n, normalize=kind))
    )
    rows = X if kind else X / 20.0
    log, other_log = (d.fit(rows, Y, **QUICK).history for d in (together, in_turn))
    assert log.keys() == other_log.keys()
    for column, values in log.items():
        np.testing.assert_allclose(values, other_log[column], rtol=1e-3, err_msg=column)
    for label, member in together.members.items():
        alone = in_turn.members[label].net.get_weights()
        for a, b in zip(member.net.get_weights(), alone, strict=True):
            np.testing.assert_allclose(a, b, atol=2e-5)
        own = rows[label == Y]
        np.testing.assert_allclose(
            member.score(own), in_turn.members[label].score(own), rtol=1e-3, atol=1e-3
        )


def test_one_class_is_the_detector_alone():
    alone = template()
    alone.fit(X[:150], **QUICK)
    for y in (None, np.full(150, "only")):
        detector = PerClassAEGMM(template(), threshold=1.0)
        detector.fit(X[:150], y, **QUICK)
        (label,) = detector.classes_
        assert label == (0 if y is None else "only")
        np.testing.assert_array_equal(detector.members[label].score(NEW), alone.score(NEW))


def test_classes_of_unlike_sizes_and_ensembles_train_together():
    rows, y = labelled_rows((200, 60, 9))
    auto = OutlierAEGMM.auto(N_FEATURES, ensemble=2, seed=0)
    small = auto.blueprint.replace(sizes=template().blueprint.sizes)
    ensemble = OutlierAEGMM.from_blueprint(small, auto.fit_config, normalize="robust", seed=0)
    detector = PerClassAEGMM(ensemble, threshold=1.0)
    history = detector.fit(rows, y, **{**QUICK, "validation_split": 0.3})
    assert {"loss", "val_loss"} <= set(history.history)
    assert np.isfinite(detector.class_scores(NEW)).all()
    assert all(len(member.members) == 2 for member in detector.members.values())


def test_nets_of_a_class_come_out_as_they_went_in():
    for members in (None, 3):
        blueprint = template().blueprint.replace(members=members)
        stacked, alone = stack_per_class(blueprint, 2, seed=4), blueprint.build(4)
        for number in (0, 1):
            got = net_of_class(stacked, blueprint, number).get_weights()
            for a, b in zip(got, alone.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)


def test_the_input_and_the_template_are_left_as_they_were(again):
    _, (rows, labels, own), before = again
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_array_equal(labels, Y)
    assert not own.fitted
    for a, b in zip(before, own.net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def saved(detector, folder):
    save_detector(detector, folder / "detector.aegmm")
    return load_detector(folder / "detector.aegmm")


def in_directory(detector, folder):
    save_detector(detector, folder / "detector")
    return load_detector(folder / "detector")


WAYS = (saved, in_directory, lambda detector, _: pickle.loads(pickle.dumps(detector)))


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_judges_rows_in_all_ways_alike(way, detector, tmp_path):
    other = way(detector, tmp_path)
    assert other.classes_ == detector.classes_
    assert other.class_thresholds == detector.class_thresholds
    for arguments in ({}, {"y": Y_NEW}, {"min_votes": 2}):
        want, got = (d.predict(NEW, **arguments)["data"] for d in (detector, other))
        np.testing.assert_array_equal(got["instance_score"], want["instance_score"])
        np.testing.assert_array_equal(got["is_outlier"], want["is_outlier"])


def test_labels_names_and_calibration_are_saved(tmp_path):
    frame = pd.DataFrame(X, columns=list("abcde"))
    detector = PerClassAEGMM(template(), threshold=1.0)
    numbers = {"cold": -1.0, "warm": 0.5, "hot": 2.5}
    detector.fit(frame, np.array([numbers[label] for label in Y]), **QUICK)
    detector.calibrate(NEW)
    other = saved(detector, tmp_path)
    assert list(map(type, other.classes_)) == [float, float, float]
    np.testing.assert_array_equal(other.calibration.scores, detector.calibration.scores)
    for each in (other, *other.members.values()):
        with pytest.raises(InvalidInputError, match="columns differ"):
            each.score(frame[list("edcba")])


def test_what_a_function_has_made_is_saved_and_the_function_is_not(tmp_path):
    detector = PerClassAEGMM(template, threshold=1.0)
    with pytest.raises(ArtefactError, match="made of a function"):
        saved(detector, tmp_path)
    detector.fit(X, Y, **QUICK)
    other = saved(detector, tmp_path)
    np.testing.assert_array_equal(other.score(NEW), detector.score(NEW))
    with pytest.raises(ConfigurationError, match=r"new PerClassAEGMM\(function\)"):
        other.fit(X, Y, **QUICK)


def test_labels_that_are_no_plain_values_can_be_pickled_but_not_saved(tmp_path):
    labels = np.empty(len(Y), dtype=object)
    labels[:] = [(label, 1) for label in Y]
    detector = PerClassAEGMM(template(), threshold=1.0)
    detector.fit(X, labels, **QUICK)
    assert ("hot", 1) in detector.members
    with pytest.raises(ArtefactError, match="is a tuple"):
        saved(detector, tmp_path)


def test_a_fit_that_fails_leaves_the_detector_as_it_was(detector):
    own = copy.deepcopy(detector)
    for bad in ({"epochs": 0}, {"validation_split": 0.999}):
        with pytest.raises(ValueError):
            own.fit(X, Y, **{**QUICK, **bad})
    np.testing.assert_array_equal(own.score(NEW), detector.score(NEW))
    assert own.class_thresholds == detector.class_thresholds


def test_another_fit_clears_the_thresholds_of_the_classes_and_says_so(detector, caplog):
    own = copy.deepcopy(detector)
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        own.fit(X, Y, **QUICK)
    assert "call infer_class_thresholds again" in caplog.text
    for call in (lambda: own.clean(NEW, Y_NEW), lambda: own.predict(NEW, min_votes=1)):
        with pytest.raises(ThresholdNotInferredError, match="'cold', 'hot', 'warm'"):
            call()
    assert own.threshold == 1.0  # given, not inferred


def test_a_threshold_for_a_class_that_fails_changes_none(detector):
    before, few = detector.class_thresholds, Y_NEW != "warm"
    few[np.flatnonzero(~few)[:3]] = True
    with pytest.raises(InvalidInputError, match="Class 'warm'"):
        detector.infer_class_thresholds(NEW[few], Y_NEW[few], method="fpr", fpr=0.05)
    with pytest.raises(InvalidInputError, match="Class 'warm'"):
        detector.infer_class_thresholds(NEW[Y_NEW != "warm"], Y_NEW[Y_NEW != "warm"])
    assert detector.class_thresholds == before


def test_rows_with_nan_are_left_out_or_refused_by_number():
    rows = X.copy()
    rows[[3, 8], 1] = np.nan
    with pytest.raises(InvalidInputError, match=r"2 rows \(first: 3, 8\)"):
        PerClassAEGMM(template(), threshold=1.0).fit(rows, Y, **QUICK)
    detector = PerClassAEGMM(template(nan_policy="flag"), threshold=1.0)
    detector.fit(rows, Y, **QUICK)
    detector.infer_class_thresholds(NEW, Y_NEW)
    for data in (
        detector.predict(rows)["data"],
        detector.predict(rows, y=Y)["data"],
        detector.predict(rows, min_votes=1.0)["data"],
    ):
        assert data["is_outlier"][[3, 8]].tolist() == [1, 1]
    assert not detector.clean(rows, Y)[[3, 8]].any()


def test_feature_scores_are_those_of_the_class_that_judges(detector):
    rows, labels = NEW[:20], Y_NEW[:20]
    own = detector.predict(rows, y=labels, return_feature_score=True)["data"]["feature_score"]
    for label, member in detector.members.items():
        want = member.predict(rows, return_feature_score=True)["data"]["feature_score"]
        np.testing.assert_array_equal(own[labels == label], want[labels == label])
    least = detector.predict(rows, return_feature_score=True)["data"]["feature_score"]
    nearest = np.ptp(least - own, axis=1) == 0
    assert nearest.mean() > 0.8


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (Y[:-1], r"y has 449 labels, but X has 450 rows"),
        (np.where(np.arange(450) == 4, "rare", Y), r"class 'rare' \(1\).*Leave the class out"),
        (Y[:, None], r"y has shape \(450, 1\)"),
        ([None, *Y[1:]], r"lacks a label in 1 of 450 rows \(first: 0\)"),
        (np.where(Y == "hot", np.nan, 1.0), r"lacks a label in 150"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y, says):
    with pytest.raises(InvalidInputError, match=says):
        PerClassAEGMM(template(), threshold=1.0).fit(X, y, **QUICK)


def test_labels_that_fit_has_not_seen_are_named(detector):
    with pytest.raises(InvalidInputError, match=r"'new'.*'cold', 'hot', 'warm'"):
        detector.score(NEW, y=np.where(Y_NEW == "hot", "new", Y_NEW))
    with pytest.raises(InvalidInputError, match="y has 3 labels, but X has 450 rows"):
        detector.clean(NEW, Y_NEW[:3])


def test_arguments_that_exclude_each_other_are_refused(detector):
    with pytest.raises(ConfigurationError, match="pass one"):
        detector.predict(NEW, y=Y_NEW, min_votes=2)
    with pytest.raises(ConfigurationError, match=r"of score\(X\)"):
        detector.predict(NEW, y=Y_NEW, fdr=0.1)
    with pytest.raises(ConfigurationError, match="export them"):
        detector.export("somewhere")


def test_a_stream_has_no_labels():
    with pytest.raises(ConfigurationError, match="needs all rows in memory"):
        PerClassAEGMM(template(), threshold=1.0).fit(lambda: [X], Y, **QUICK)


def test_what_cannot_be_built_for_each_class_is_refused(make_nets):
    own = make_nets(n_features=N_FEATURES)
    nets = OutlierAEGMM(threshold=0.0, normalize="standard", **own)
    with pytest.raises(ConfigurationError, match="Pass a function"):
        PerClassAEGMM(nets)
    with pytest.raises(NetTypeError, match="pass an OutlierAEGMM"):
        PerClassAEGMM(OutlierAEGMM)
    with pytest.raises(ConfigurationError, match="nan_policy would contradict"):
        PerClassAEGMM(template(), nan_policy="flag")
    with pytest.raises(NetTypeError, match="returned a int"):
        PerClassAEGMM(lambda n: n, threshold=1.0).fit(X, Y, **QUICK)
    with pytest.raises(ConfigurationError, match="had returned before"):
        PerClassAEGMM(lambda n: nets, threshold=1.0).fit(X, Y, **QUICK)


def test_nets_of_the_users_own_train_in_turn(make_nets):
    def make(n_features):
        return OutlierAEGMM(threshold=0.0, normalize="standard", **make_nets(n_features))

    detector = PerClassAEGMM(make, threshold=1.0)
    detector.fit(X, Y, **QUICK, seed=0)
    alone = make(N_FEATURES)
    alone.fit(X[Y == "hot"], **QUICK, seed=0)
    np.testing.assert_array_equal(detector.members["hot"].score(NEW), alone.score(NEW))


@given(st.one_of(st.lists(st.integers()), st.lists(st.text()), st.lists(st.floats(-9.0, 9.0))))
def test_classes_do_not_depend_on_the_order_of_rows(labels):
    classes = classes_of(labels)
    assert classes_of(labels[::-1]) == classes
    assert [classes[number] for number in class_numbers(labels, classes)] == labels


def test_labels_of_several_types_have_an_order_too():
    assert classes_of(["b", 2, "a", 1, (0,)]) == classes_of([1, (0,), "a", 2, "b"])


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ([1, "a"], [1, "a"]),
        ([("x", 1), ("y", 2)], [("x", 1), ("y", 2)]),
        (np.array(["2026-11-24"], dtype="datetime64[ns]"), [np.datetime64("2026-11-24")]),
        (np.array([1, 2]), [1, 2]),
        ([np.int64(1), np.str_("b")], [1, "b"]),
    ],
)
def test_labels_are_what_was_given(given, want):
    labels = as_labels(given)
    assert labels == want
    assert [type(a) for a in labels] == [type(b) for b in want]


def test_what_changes_a_class_clears_what_was_decided_on_its_scores(detector):
    detector = copy.deepcopy(detector)
    detector.infer_threshold(NEW)
    detector.infer_class_thresholds(NEW, Y_NEW)
    label = detector.classes_[0]
    detector.members[label].update(X[label == Y])
    assert detector.class_thresholds[label] is None
    assert all(detector.class_thresholds[other] is not None for other in detector.classes_[1:])
    with pytest.raises(ThresholdNotInferredError):
        detector.predict(NEW)


def test_what_it_cannot_do_says_what_to_do_instead(detector):
    with pytest.raises(ConfigurationError, match=r"members\[label\]\.update"):
        detector.update(X)
    with pytest.raises(AttributeError):
        detector.score_type = "both"
    with pytest.raises(ConfigurationError, match="callbacks holds 1"):
        PerClassAEGMM(template(), threshold=1.0).fit(X, Y, **{**QUICK, "callbacks": [1]})


def test_a_latent_space_is_drawn_of_one_class(detector):
    X, _ = labelled_rows()
    with pytest.raises(ConfigurationError, match=r"latent space for each class.*members\["):
        LatentDisplay.from_detector(detector, X)


def test_methods_that_learn_from_labelled_outliers_are_refused_by_name(detector):
    X, y = labelled_rows()
    with pytest.raises(ConfigurationError, match=r"'youden' learns from labelled outliers.*member"):
        detector.infer_class_thresholds(X, y, method="youden")


def test_scores_by_all_classes_read_a_stream_once(detector):
    passes = []

    def batches():
        passes.append(1)
        return iter([NEW[:10], NEW[10:]])

    np.testing.assert_array_equal(detector.class_scores(batches), detector.class_scores(NEW))
    assert len(passes) == 1
    assert detector.class_scores(NEW[:0]).shape == (0, len(detector.classes_))


@pytest.mark.parametrize("way", ["as it was", "loaded"])
def test_decisions_on_former_scores_of_a_class_are_seen_as_cleared(way, detector, tmp_path):
    """Also by who reads them first, or saves, without asking for a prediction in between."""
    detector = copy.deepcopy(detector)
    detector.infer_threshold(NEW)
    detector.calibrate(NEW)
    if way == "loaded":
        detector = saved(detector, tmp_path / "saved")
    assert detector.threshold is not None
    label = detector.classes_[0]
    detector.members[label].update(X[label == Y])
    after = saved(detector, tmp_path / "after")
    assert (after.threshold, after.calibration) == (None, None)
    assert (detector.threshold, detector.threshold_inferred) == (None, False)
    # What is decided on the new scores stays.
    threshold = detector.infer_threshold(NEW)
    assert detector.threshold == threshold


def test_what_a_function_returns_decides_what_scores_are_and_shares_the_policy():
    X, y = labelled_rows()
    detector = PerClassAEGMM(lambda n: template(n, score_type="both"), threshold=1.0)
    detector.fit(X, y, **QUICK)
    assert detector.score_type == "both"
    other = PerClassAEGMM(lambda n: template(n, nan_policy="flag"), threshold=1.0)
    with pytest.raises(ConfigurationError, match=r"nan_policy='flag'.*'raise'"):
        other.fit(X, y, **QUICK)
