"""Rows of classes side by side: every row of each class comes up equally often."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aegmm_detect.per_class.rows import one_of_each
from aegmm_detect.training.data import ArrayRows
from aegmm_detect.training.prepare import TrainingRows

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=4)


def parts(sizes, validation=False):
    """Rows that hold the number of their class and their own."""
    made = []
    for number, size in enumerate(sizes):
        own = np.stack([np.full(size, number), np.arange(size)], axis=1).astype("float32")
        made.append(
            TrainingRows(
                train=ArrayRows(own),
                validation=ArrayRows(own) if validation else None,
                normalizer=None,
                shape=(2,),
            )
        )
    return made


@given(SIZES, st.integers(0, 5))
def test_each_row_comes_up_as_often_as_any_other_of_its_class_or_once_more(sizes, seed):
    rows = one_of_each(parts(sizes), seed)
    assert rows.shape == (len(sizes), 2)
    array = rows.train.array
    assert array.shape == (max(sizes), len(sizes), 2)
    for number, size in enumerate(sizes):
        assert (array[:, number, 0] == number).all()
        counts = np.bincount(array[:, number, 1].astype(int), minlength=size)
        assert len(counts) == size
        assert counts.max() - counts.min() <= 1


@given(SIZES, st.integers(0, 5))
def test_which_class_comes_first_changes_nothing(sizes, seed):
    forward = one_of_each(parts(sizes), seed).train.array
    backward = one_of_each(parts(sizes)[::-1], seed).train.array
    np.testing.assert_array_equal(forward, backward[:, ::-1])


def test_validation_is_there_where_the_classes_have_one():
    assert one_of_each(parts([3, 5]), 0).validation is None
    assert one_of_each(parts([3, 5], validation=True), 0).validation.array.shape == (5, 2, 2)
