import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.input_checks import (
    check_labels,
    check_names,
    check_shape,
    non_finite_columns,
    non_finite_rows,
    refuse_non_finite,
)

bounded = settings(max_examples=30)

# Shapes.


@pytest.mark.parametrize("shape", [(5,), (4, 4, 1)])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_batches_of_the_right_rows_pass(shape, n):
    check_shape(np.zeros((n, *shape)), shape)


@pytest.mark.parametrize(
    ("got", "shape", "message"),
    [
        (
            (3, 4),
            (5,),
            "X has 4 features per row, but the detector's nets take 5. Select the columns that fit",
        ),
        ((5,), (5,), r"X has shape \(5,\): one row must still be a batch. Use X\[np.newaxis\]"),
        (
            (7,),
            (5,),
            r"X has shape \(7,\), but .* \(N, 5\)\. .*X\.reshape\(-1, 1\); .*X\[np\.newaxis\]",
        ),
        ((7,), (1,), r"X has shape \(7,\), .* Reshape a column with X\.reshape\(-1, 1\)"),
        ((7,), (4, 4, 1), r"X has shape \(7,\), but a batch of rows has shape \(N, 4, 4, 1\)"),
        ((4, 4, 1), (4, 4, 1), r"X has shape \(4, 4, 1\): one row must still be a batch"),
        ((4, 4), (4, 4, 1), r"must still be a batch.* X\[np\.newaxis, \.\.\., np\.newaxis\]"),
        ((2, 4, 4), (4, 4, 1), r"X has rows of shape \(4, 4\), .* take \(4, 4, 1\)"),
        ((2, 3, 5, 5), (5, 5, 2), r"\(3, 5, 5\), .* Pass rows of the shape that fit saw"),
        ((2, 4, 4, 1), (16,), r"X has rows of shape \(4, 4, 1\), .* take \(16,\)"),
        ((2, 16), (4, 4, 1), r"X has rows of shape \(16,\), .* take \(4, 4, 1\)"),
        ((2, 3, 1), (3,), r"X has rows of shape \(3, 1\), .* take \(3,\)"),
    ],
)
def test_a_wrong_shape_is_refused_with_the_users_name_and_both_shapes(got, shape, message):
    with pytest.raises(InvalidInputError, match=message):
        check_shape(np.zeros(got), shape)
    with pytest.raises(InvalidInputError, match=r"^A batch has "):
        check_shape(np.zeros(got), shape, "A batch")


@pytest.mark.parametrize(
    ("got", "shape", "remedy", "mend"),
    [
        ((16,), (16,), "X[np.newaxis]", lambda X: X[np.newaxis]),
        ((7,), (1,), "X.reshape(-1, 1)", lambda X: X.reshape(-1, 1)),
        ((4, 4), (4, 4, 1), "X[np.newaxis, ..., ", lambda X: X[np.newaxis, ..., np.newaxis]),
        ((2, 4, 4), (4, 4, 1), "X[..., np.newaxis]", lambda X: X[..., np.newaxis]),
        ((2, 4, 4, 1), (4, 4), "X[..., 0]", lambda X: X[..., 0]),
        ((2, 3, 4, 5), (4, 5, 3), "np.moveaxis(X, 1, -1)", lambda X: np.moveaxis(X, 1, -1)),
        ((2, 16), (4, 4, 1), "X.reshape(-1, 4, 4, 1)", lambda X: X.reshape(-1, 4, 4, 1)),
        ((2, 4, 4, 1), (16,), "X.reshape(-1, 16)", lambda X: X.reshape(-1, 16)),
    ],
)
def test_what_the_error_advises_gives_the_right_shape(got, shape, remedy, mend):
    X = np.zeros(got)
    with pytest.raises(InvalidInputError) as caught:
        check_shape(X, shape)
    assert remedy in str(caught.value)
    check_shape(mend(X), shape)


@pytest.mark.parametrize("got", [(5,), (7,)])
def test_single_rows_of_a_stream_are_refused_with_the_way_to_batch_them(got):
    with pytest.raises(InvalidInputError, match=r"^A batch of X .*dataset\.batch\(256\)"):
        check_shape(np.zeros(got), (5,), "A batch of X")


# Names of columns.


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "c"), r"missing \['b'\], unexpected \['c'\]"),
        (("a",), r"fit: missing \['b'\]\."),
        (("a", "b", "c"), r"fit: unexpected \['c'\]\."),
        (("b", "a"), "same columns in another order"),
    ],
)
def test_other_columns_than_those_of_fit_are_refused_with_the_remedy(names, message):
    with pytest.raises(InvalidInputError, match=message + r".*X\[\['a', 'b'\]\]"):
        check_names(names, ("a", "b"))


def test_equal_columns_pass():
    check_names(("a", "b"), ("a", "b"))


# Rows that are not finite.

special = st.sampled_from([np.nan, np.inf, -np.inf, 1e39, -1e300])


@given(
    bad=st.dictionaries(st.integers(0, 9), special),
    column=st.integers(0, 2),
    image=st.booleans(),
)
@bounded
def test_exactly_the_rows_that_float32_cannot_hold_are_found(bad, column, image):
    X = np.random.default_rng(0).normal(size=(10, 3))
    for row, value in bad.items():
        X[row, column] = value
    X = X.reshape(10, 3, 1, 1) if image else X
    np.testing.assert_array_equal(non_finite_rows(X), sorted(bad))


def test_the_largest_finite_numbers_are_finite(real_dtype):
    """Though their sum is not."""
    dtype = np.dtype(real_dtype)
    if dtype.kind == "f":
        largest = min(float(np.finfo(dtype).max), float(np.finfo("f4").max))
    else:
        largest = 1 if dtype.kind == "b" else np.iinfo(dtype).max
    X = np.full((4, 3), largest, dtype=dtype)
    assert not len(non_finite_rows(X))
    if dtype.kind == "f":
        assert not len(non_finite_rows(-X))
        X[2, 1] = np.nan
        assert non_finite_rows(X).tolist() == [2]


def test_no_rows_hold_nothing_bad():
    assert not len(non_finite_rows(np.zeros((0, 3))))


def test_the_error_counts_the_rows_and_names_the_first_ones():
    refuse_non_finite(np.array([], dtype=int), "X", "Drop them.")
    with pytest.raises(InvalidInputError, match=r"X holds .* in 1 row \(first: 3\). Drop them."):
        refuse_non_finite(np.array([3]), "X", "Drop them.")
    with pytest.raises(InvalidInputError, match=r"in 9 rows \(first: 0, 1, 2, 3, 4, \.\.\.\)"):
        refuse_non_finite(np.arange(9), "X", "Drop them.")
    with pytest.raises(InvalidInputError, match=r"\(first: 3\), column age\. Drop them."):
        refuse_non_finite(np.array([3]), "X", "Drop them.", ["age"])
    with pytest.raises(InvalidInputError, match=r"\(first: 3\), columns a, b\. Drop them."):
        refuse_non_finite(np.array([3]), "X", "Drop them.", ("a", "b"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_columns_that_float32_cannot_hold_are_named(bad):
    X = np.zeros((4, 3))
    X[[1, 2], [0, 2]] = bad
    assert non_finite_columns(X, ("a", "b", "c")) == ("a", "c")
    assert non_finite_columns(X[:1], ("a", "b", "c")) == ()
    assert non_finite_columns(X[:0], ("a", "b", "c")) == ()
    assert non_finite_columns(X, None) == ()


# Labels.


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        ([[0, 1]], r"shape \(1, 2\)"),
        (0, r"shape \(\)"),
        ([0, 2, 1], "such as 2"),
        ([0.0, float("nan")], "such as nan"),
        (["in", "out"], "<U3 values"),
        ([None, 1], "object values"),
    ],
)
def test_what_is_no_label_is_refused(y, problem):
    with pytest.raises(InvalidInputError, match=f"{problem}.*0 inlier, 1 outlier, -1 unlabelled"):
        check_labels(y)


@pytest.mark.parametrize("dtype", ["?", "i1", "i8", "f4", "f8"])
def test_labels_may_be_any_kind_of_number(dtype):
    got = check_labels(np.array([0, 1, 1], dtype=dtype))
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, [0, 1, 1])
