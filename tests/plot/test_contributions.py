"""Bars are means, dots are rows, and the largest come first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib import pyplot as plt

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.plot import (
    ContributionDisplay,
    CurvesDisplay,
    LatentDisplay,
    TrainingDisplay,
)

draw = ContributionDisplay.from_contributions
NUMBERS = st.floats(-1e3, 1e3)


@settings(max_examples=20)
@given(
    array=arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=NUMBERS),
    max_features=st.integers(1, 15),
)
def test_what_is_drawn_is_what_was_given(array, max_features):
    names = [f"f{i}" for i in range(array.shape[1])]
    display = draw(array, names, max_features=max_features)
    order = display.order_
    assert len(order) == min(max_features, array.shape[1])
    size = np.abs(array).mean(axis=0)
    assert (np.diff(size[order]) <= 0).all()
    assert size[order].min() >= np.delete(size, order).max(initial=0.0)
    widths = [bar.get_width() for bar in display.ax_.patches]
    np.testing.assert_allclose(widths, array[:, order].mean(axis=0))
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == [names[i] for i in order]
    if len(array) > 1:
        dots = np.array([line.get_xdata() for line in display.ax_.lines[:-1]])
        np.testing.assert_array_equal(dots, array[:, order])
    plt.close("all")


def test_one_row_is_bars_alone():
    display = draw([1.0, -3.0, 2.0])
    assert display.order_.tolist() == [1, 2, 0]
    assert len(display.ax_.lines) == 1
    assert display.ax_.get_title() == ""
    assert display.ax_.get_yticklabels()[0].get_text() == "feature 1"
    low, high = display.ax_.get_ylim()
    assert low > high  # the largest is at the top
    assert draw(np.ones((4, 20))).ax_.get_title() == (
        "bars: mean of 4 rows, dots: the rows; 5 smaller ones left out"
    )


def test_a_detector_explains_its_score(fitted, normal_rows):
    rows = normal_rows[:3]
    display = ContributionDisplay.from_detector(fitted, rows, max_features=4)
    np.testing.assert_array_equal(display.contributions, fitted.explain(rows).score)
    assert len(display.ax_.patches) == 4
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(rows, columns=list("abcdef"))
    assert ContributionDisplay.from_detector(fitted, frame).names == list("abcdef")


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidInputError, match=r"shape \(1, 1, 1\)"):
        draw([[[1.0]]])
    with pytest.raises(InvalidInputError, match=r"shape \(0,\)"):
        draw([])
    with pytest.raises(InvalidInputError, match="NaN or infinity"):
        draw([1.0, np.nan])
    with pytest.raises(InvalidInputError, match="1 names for 2 features"):
        draw([1.0, 2.0], ["a"])
    with pytest.raises(ConfigurationError, match="max_features=0"):
        draw([1.0, 2.0], max_features=0)


def test_names_with_dollars_are_drawn_as_they_are():
    """Matplotlib takes what is between two of them for a formula, and fails where it is none."""
    name = "price_$_per_%_of_$^"
    ax = draw([1.0, 2.0], [name, "$a$"]).ax_
    CurvesDisplay.from_scores([0, 1, 0, 1], {name: [1.0, 2.0, 3.0, 4.0]})
    TrainingDisplay.from_history({"loss": [1.0, 2.0], name: [1.0, 2.0]})
    z = np.random.default_rng(0).normal(size=(9, 2))
    mixture = {"means": z[:1], "covariances": np.eye(2)[None], "weights": [1.0]}
    LatentDisplay(z=z, labels=(name, name), **mixture).plot()
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$a$", name]
    assert not any(label.get_parse_math() for label in ax.get_yticklabels())
