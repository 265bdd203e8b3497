"""The curves are scikit-learn's, and the points lie on them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from sklearn import metrics

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.plot import CurvesDisplay

RNG = np.random.default_rng(0)
Y = RNG.permutation(np.repeat([0, 1], [160, 40]))
SCORES = RNG.normal(size=200) + 1.5 * Y
OTHER = RNG.normal(size=200)


def test_curves_are_scikit_learns():
    display = CurvesDisplay.from_scores(Y, SCORES)
    kinds = (
        metrics.RocCurveDisplay,
        metrics.PrecisionRecallDisplay,
        metrics.DetCurveDisplay,
    )
    for kind, ax in zip(kinds, display.ax_, strict=True):
        theirs = kind.from_predictions(Y, SCORES).ax_
        np.testing.assert_array_equal(ax.lines[0].get_xydata(), theirs.lines[0].get_xydata())
    assert display.displays_["roc"]["scores"].roc_auc == metrics.roc_auc_score(Y, SCORES)


def lies_on(curve, point):
    """Whether `point` is a corner of `curve` (N, 2), or on one of its steps."""
    parts = np.stack([curve, curve]), np.stack([curve[:-1], curve[1:]])
    for ends in parts:
        low, high = ends.min(axis=0), ends.max(axis=0)
        steps = (low == high).any(axis=1)
        inside = ((low - 1e-12 <= point) & (point <= high + 1e-12)).all(axis=1)
        if (steps & inside).any():
            return True
    return False


@pytest.mark.parametrize("threshold", [-0.3, 0.8, 1.9])
def test_a_threshold_is_a_point_on_the_curve(threshold):
    display = CurvesDisplay.from_scores(Y, {"a": SCORES}, thresholds={"a": threshold})
    for ax in display.ax_:
        curve, point = (line.get_xydata() for line in ax.lines)
        assert lies_on(curve, point[0])
        assert not lies_on(curve, point[0] + 1e-3)
    flagged = threshold < SCORES
    assert display.operating_point("pr", "a") == pytest.approx(
        (metrics.recall_score(Y, flagged), metrics.precision_score(Y, flagged))
    )


def test_a_threshold_above_all_scores_has_no_precision():
    display = CurvesDisplay.from_scores(Y, {"a": SCORES}, thresholds={"a": np.inf})
    assert display.operating_point("roc", "a") == (0.0, 0.0)
    np.testing.assert_array_equal(display.operating_point("pr", "a"), [0.0, np.nan])
    np.testing.assert_array_equal(display.operating_point("det", "a"), [np.nan, np.nan])


def test_a_detector_has_one_colour():
    display = CurvesDisplay.from_scores(
        Y, {"a": SCORES, "b": OTHER}, thresholds={"a": 0.5, "b": 0.5}
    )
    colours = [[to_hex(line.get_color()) for line in ax.lines] for ax in display.ax_]
    assert colours[1:] == [colours[0], colours[0]]
    assert len(set(colours[0])) == 2


def test_rows_without_a_score_rank_highest():
    scores = SCORES.copy()
    scores[Y.argmax()] = np.nan
    display = CurvesDisplay.from_scores(Y, {"a": scores}, thresholds={"a": 1e6})
    assert display.scores["a"].argmax() == Y.argmax()
    np.testing.assert_array_equal(
        np.delete(display.scores["a"], Y.argmax()), np.delete(SCORES, Y.argmax())
    )


def test_a_detector_brings_its_threshold(fitted, normal_rows):
    y = np.arange(len(normal_rows)) % 2
    display = CurvesDisplay.from_detector(fitted, normal_rows, y, curves=["roc"])
    assert display.thresholds == {"OutlierAEGMM": 2.0}
    assert list(display.displays_) == ["roc"]
    figure, ax = plt.subplots()
    assert display.plot(ax).ax_.tolist() == [ax]
    assert display.figure_ is figure


def test_what_does_not_fit_is_refused():
    draw = CurvesDisplay.from_scores
    with pytest.raises(InvalidInputError, match="labels of both kinds"):
        draw(np.zeros(200, int), SCORES)
    with pytest.raises(InvalidInputError, match="labels of both kinds"):
        draw(Y, {})
    with pytest.raises(InvalidInputError, match="y has shape"):
        draw(Y[:5], SCORES)
    with pytest.raises(InvalidInputError, match=r"no scores for \['b'\]"):
        draw(Y, {"a": SCORES}, thresholds={"b": 0.5})
    with pytest.raises(ConfigurationError, match=r"\['lift'\] is not among"):
        draw(Y, SCORES, curves=["roc", "lift"])
    with pytest.raises(InvalidInputError, match="ax holds 1 axes, but 3 are needed"):
        draw(Y, SCORES, ax=plt.subplots()[1])
