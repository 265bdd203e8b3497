import dataclasses

import numpy as np
import pytest

from aegmm_detect.datasets import Dataset
from aegmm_detect.exceptions import InvalidInputError


def make(n=5, **changes):
    fields = {
        "name": "toy",
        "X": np.arange(2.0 * n).reshape(n, 2),
        "y": np.arange(n) % 2,
        "feature_names": ("a", "b"),
        "anomaly": "odd rows",
        "licence": "none",
        "citation": "nobody",
    }
    return Dataset(**fields | changes)


def test_kinds_are_optional():
    assert make().kinds is None
    assert make().subset([1]).kinds is None


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([3, 0, 3], [3, 0, 3]),
        (np.array([False, True, False, False, True]), [1, 4]),
        (range(2), [0, 1]),
        ([-1], [4]),
        ([], []),
    ],
)
def test_a_subset_keeps_rows_labels_and_kinds_together(rows, chosen):
    data = make(kinds=np.array(list("abcde")))
    part = data.subset(rows)
    np.testing.assert_array_equal(part.X, data.X[chosen])
    np.testing.assert_array_equal(part.y, data.y[chosen])
    np.testing.assert_array_equal(part.kinds, data.kinds[chosen])
    assert (part.name, part.feature_names) == (data.name, data.feature_names)


def test_a_subset_is_a_copy():
    data = make()
    data.subset(range(5)).X[:] = np.nan
    assert np.isfinite(data.X).all()


@pytest.mark.parametrize("rows", [[5], [True, False], [[0, 1]], [0.5], "all"])
def test_rows_that_do_not_exist_are_refused(rows):
    with pytest.raises(InvalidInputError, match="rows"):
        make().subset(rows)


@pytest.mark.parametrize(
    "changes",
    [{"y": np.zeros(4)}, {"kinds": np.array(["a"] * 6)}, {"feature_names": ("a",)}],
)
def test_lengths_that_do_not_match_are_refused(changes):
    with pytest.raises(InvalidInputError, match=f"toy: .*{next(iter(changes))}"):
        make(**changes)


def test_a_data_set_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().y = np.zeros(5)
