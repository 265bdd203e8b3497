"""What is drawn is what was given."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aegmm_detect.exceptions import InvalidInputError, MissingExtraError
from aegmm_detect.plot import ScoreDisplay, ScoreHistogramDisplay

SCORES = np.random.default_rng(0).gumbel(size=300)
Y = (SCORES > 2.5).astype(int)


def points(collections):
    """Offsets of all points of scatter plots, in the order of their first coordinate."""
    drawn = np.vstack([np.asarray(own.get_offsets()) for own in collections])
    return drawn[np.argsort(drawn[:, 0], kind="stable")]


@pytest.mark.parametrize("given_", [{}, {"y": Y}, {"threshold": 1.5}])
def test_every_score_is_drawn_at_its_row(given_):
    display = ScoreDisplay.from_scores(SCORES, **given_)
    expected = np.column_stack([np.arange(300), SCORES])
    np.testing.assert_array_equal(points(display.ax_.collections), expected)
    assert display.figure_ is display.ax_.figure


def test_colours_show_labels_or_else_decisions():
    by_label = ScoreDisplay.from_scores(SCORES, threshold=0.0, y=Y).ax_.collections
    assert [own.get_label() for own in by_label] == ["normal", "anomaly"]
    np.testing.assert_array_equal(by_label[1].get_offsets()[:, 1], SCORES[Y == 1])
    by_decision = ScoreDisplay.from_scores(SCORES, threshold=1.5).ax_.collections
    assert [own.get_label() for own in by_decision] == ["inlier", "outlier"]
    np.testing.assert_array_equal(by_decision[1].get_offsets()[:, 1], SCORES[SCORES > 1.5])


def test_rows_may_stand_at_times():
    times = np.datetime64("2026-03-01") + np.arange(300).astype("timedelta64[h]")
    display = ScoreDisplay.from_scores(SCORES, index=times)
    days = points(display.ax_.collections)[:, 0]
    np.testing.assert_allclose(days - days[0], np.arange(300) / 24.0)
    display.figure_.canvas.draw()
    labels = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert all(len(label) < 8 for label in labels)


@pytest.mark.parametrize(("kind", "axis"), [(ScoreDisplay, "y"), (ScoreHistogramDisplay, "x")])
def test_the_line_is_at_the_threshold(kind, axis):
    display = kind.from_scores(SCORES, threshold=1.25)
    assert list(getattr(display.threshold_line_, f"get_{axis}data")()) == [1.25, 1.25]
    assert kind.from_scores(SCORES).threshold_line_ is None
    assert kind.from_scores(SCORES, threshold=np.inf).threshold_line_ is not None


def test_rows_without_a_score_are_marked_and_are_outliers():
    scores = SCORES.copy()
    scores[[4, 7]] = np.nan
    display = ScoreDisplay.from_scores(scores, threshold=1.5)
    marked = display.ax_.collections[-1]
    assert marked.get_label() == "NaN, no score"
    np.testing.assert_array_equal(marked.get_offsets()[:, 0], [4, 7])
    inliers = display.ax_.collections[0].get_offsets()[:, 0]
    assert not set(inliers) & {4, 7}


@settings(max_examples=20)
@given(
    scores=arrays(np.float64, st.integers(2, 60), elements=st.floats(-1e6, 1e6)),
    threshold=st.none() | st.floats(-10, 10),
    bins=st.integers(1, 20),
)
def test_every_row_is_in_one_bar(scores, threshold, bins):
    y = np.arange(len(scores)) % 2
    display = ScoreHistogramDisplay.from_scores(scores, threshold=threshold, y=y, bins=bins)
    assert [counts.sum() for counts in display.counts_] == [(y == 0).sum(), (y == 1).sum()]
    assert len(display.edges_) == bins + 1
    for counts, bars in zip(display.counts_, display.ax_.patches, strict=True):
        np.testing.assert_array_equal(bars.get_data().values, counts)
    plt.close("all")


def test_bars_count_what_numpy_counts_and_the_last_one_what_is_far_out():
    display = ScoreHistogramDisplay.from_scores(SCORES, bins=20)
    np.testing.assert_array_equal(display.counts_[0], np.histogram(SCORES, 20)[0])
    far = np.append(SCORES, 1e6)
    display = ScoreHistogramDisplay.from_scores(far, bins=20, threshold=8.0)
    assert 8.0 < display.edges_[-1] < 1e3
    assert display.counts_[1][-1] == 1
    assert "the last bar holds all above" in display.ax_.get_xlabel()


def test_nan_is_in_no_bar():
    display = ScoreHistogramDisplay.from_scores(np.append(SCORES, np.nan))
    assert sum(counts.sum() for counts in display.counts_) == 300
    with pytest.raises(InvalidInputError, match="All scores are NaN"):
        ScoreHistogramDisplay.from_scores([np.nan, np.nan])


@pytest.mark.parametrize("kind", [ScoreDisplay, ScoreHistogramDisplay])
def test_detector_predictions_and_scores_draw_the_same(kind, fitted, normal_rows):
    displays = [
        kind.from_detector(fitted, normal_rows),
        kind.from_predictions(fitted.predict(normal_rows), threshold=fitted.threshold),
        kind.from_scores(fitted.score(normal_rows), threshold=2.0),
    ]
    for display in displays:
        np.testing.assert_array_equal(display.scores, displays[0].scores)
        assert display.threshold == 2.0
    assert kind.from_detector(fitted, normal_rows, threshold=3.0).threshold == 3.0


def test_a_display_draws_again_where_it_is_told():
    display = ScoreDisplay.from_scores(SCORES)
    figure, ax = plt.subplots()
    assert display.plot(ax, s=3.0, color="green") is display
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.collections[0].get_sizes() == [3.0]


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"scores": []}, r"scores have shape \(0,\)"),
        ({"scores": [[1.0]]}, r"scores have shape \(1, 1\)"),
        ({"scores": [1.0, 2.0], "y": [0]}, r"y has shape \(1,\)"),
        ({"scores": [1.0, 2.0], "y": [-1, 1]}, r"values such as \[-1, 1\]"),
        ({"scores": [1.0, 2.0], "index": [1]}, r"index has shape \(1,\) for 2 rows"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(given_, said):
    with pytest.raises(InvalidInputError, match=said):
        ScoreDisplay.from_scores(**given_)


@pytest.mark.parametrize("predictions", [{"data": {"instance_score": None}}, {}, SCORES])
def test_predictions_without_scores_are_refused(predictions):
    with pytest.raises(InvalidInputError, match="predictions hold no scores"):
        ScoreDisplay.from_predictions(predictions)


def test_without_matplotlib_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingExtraError, match=r'pip install "aegmm_detect\[plot\]"'):
        ScoreDisplay.from_scores(SCORES)
