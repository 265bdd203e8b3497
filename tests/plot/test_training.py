"""Curves are the columns of the history."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.plot import TrainingDisplay


def test_curves_are_the_columns_of_a_real_history(make_nets, normal_rows):
    detector = OutlierAEGMM(threshold=1.0, **make_nets())
    rows = np.resize(normal_rows, (750, 6))  # 600 for training, as in most tests
    history = detector.fit(rows, epochs=2, batch_size=64, validation_split=0.2, verbose=0)
    display = TrainingDisplay.from_history(history)
    assert display.columns == ("loss", "recon", "energy", "cov_diag")
    for name, ax in zip(display.columns, display.ax_, strict=True):
        assert ax.get_title() == name
        training, held_out = ax.lines
        np.testing.assert_array_equal(training.get_xydata().T, [[1, 2], history.history[name]])
        np.testing.assert_array_equal(held_out.get_ydata(), history.history[f"val_{name}"])
        assert [text.get_text() for text in ax.get_legend().texts] == ["training", "held out"]


def test_columns_may_be_chosen_and_a_dictionary_will_do():
    history = {"loss": [3.0], "mae": [2.0], "val_mae": [1.0]}
    assert TrainingDisplay.from_history(history).columns == ("loss", "mae")
    figure, ax = plt.subplots()
    display = TrainingDisplay.from_history(history, columns=["val_mae"], ax=ax)
    assert display.ax_.tolist() == [ax]
    assert display.figure_ is figure
    # A line of one point would be invisible.
    assert [line.get_marker() for line in ax.lines] == ["o"]
    assert ax.get_xticks().tolist() == [1]


@pytest.mark.parametrize("history", [None, {}, 3])
def test_no_history_is_refused(history):
    with pytest.raises(InvalidInputError, match="history holds no epochs"):
        TrainingDisplay.from_history(history)


def test_unknown_columns_are_refused():
    with pytest.raises(InvalidInputError, match=r"no \['kl'\]. There are: \['loss'\]"):
        TrainingDisplay.from_history({"loss": [1.0]}, columns=["kl"])
