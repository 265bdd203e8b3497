"""What goes wrong in a stream arrives as it was raised, in whichever pass it happens."""

import itertools
import traceback

import numpy as np
import pytest
import tensorflow as tf

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.od import OutlierAEGMM

# The first pass checks the rows, the second is for one batch alone; then come epochs.
FIT = {"epochs": 4, "batch_size": 32, "verbose": False}


class Source:
    """Batches of rows; `in_pass` n of them `happens`."""

    def __init__(self, rows, in_pass, happens):
        self.rows, self.in_pass, self.happens = rows, in_pass, happens
        self.passes = 0

    def __call__(self):
        self.passes += 1
        yield from np.array_split(self.rows, 4)
        if self.passes == self.in_pass:
            yield from self.happens()


def read_a_file_that_is_gone():
    try:
        raise KeyError("the name of the file")
    except KeyError as cause:
        raise OSError("the disk is gone") from cause
    yield


@pytest.mark.parametrize("in_pass", [1, 3, 5])
def test_an_error_of_the_users_generator_arrives_as_it_was_raised(make_nets, normal_rows, in_pass):
    source = Source(normal_rows, in_pass, read_a_file_that_is_gone)
    with pytest.raises(OSError, match="the disk is gone") as caught:
        OutlierAEGMM(**make_nets()).fit(source, **FIT)
    assert type(caught.value) is OSError
    assert isinstance(caught.value.__cause__, KeyError)
    told = "".join(traceback.format_exception(caught.value))
    # Where it happened, and nothing of TensorFlow's account of the same.
    assert "read_a_file_that_is_gone" in told
    assert "UnknownError" not in told


@pytest.mark.parametrize("error", [SystemExit(3), StopAsyncIteration("x"), MemoryError("full")])
def test_errors_of_every_kind_keep_theirs(make_nets, normal_rows, error):
    def fail():
        raise error
        yield

    with pytest.raises(type(error)) as caught:
        OutlierAEGMM(**make_nets()).fit(Source(normal_rows, 3, fail), **FIT)
    assert caught.value is error


@pytest.mark.parametrize("in_pass", [3, 4])
@pytest.mark.parametrize("how", ["longer", "endless", "shorter"])
def test_a_pass_of_another_length_is_our_own_error(make_nets, normal_rows, in_pass, how):
    passes = itertools.count(1)

    def source():
        other = next(passes) == in_pass
        yield normal_rows[:500]
        if not (other and how == "shorter"):
            yield normal_rows[500:]
        for _ in itertools.count() if other and how == "endless" else range(other):
            yield normal_rows[:7]

    got = "507" if how == "shorter" else "607 or more"
    with pytest.raises(InvalidInputError, match=f"X gave 600 rows when read first and {got} in a"):
        OutlierAEGMM(**make_nets()).fit(source, **FIT)


def test_rows_of_another_shape_in_a_later_pass_are_our_own_error(make_nets, normal_rows):
    def other():
        yield normal_rows[:7, :5]

    with pytest.raises(InvalidInputError, match="A batch of X has 5 features"):
        OutlierAEGMM(**make_nets()).fit(Source(normal_rows, 3, other), **FIT)


def test_an_error_of_tensorflow_itself_stays_what_it_is(make_nets, normal_rows):
    def fail():
        raise tf.errors.DataLossError(None, None, "a record is damaged")
        yield

    with pytest.raises(tf.errors.DataLossError, match="a record is damaged"):
        OutlierAEGMM(**make_nets()).fit(Source(normal_rows, 3, fail), **FIT)
