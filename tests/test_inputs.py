import datetime
import decimal
import functools
import itertools
import logging

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf

from aegmm_detect import inputs
from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.few_labels import rows as in_memory
from aegmm_detect.input_checks import non_finite_rows
from aegmm_detect.inputs import as_rows

DATA = np.arange(12.0).reshape(6, 2)


def every_row(rows):
    return np.concatenate(list(rows.read()))


class Batches(keras.utils.PyDataset):
    """`DATA` in two batches; with targets, as Keras's own training wants them, or without."""

    def __init__(self, with_targets):
        super().__init__()
        self.with_targets = with_targets

    def __len__(self):
        return 2

    def __getitem__(self, index):
        batch = DATA[4 * index : 4 * index + 4]
        return (batch, np.zeros(len(batch))) if self.with_targets else batch


class HasColumns:
    """A data frame that is not of pandas: columns, and series with `to_numpy`."""

    columns = ("a", "b")

    def __getitem__(self, name):
        return pd.Series(DATA[:, self.columns.index(name)])

    def to_numpy(self):
        return DATA


class Table:
    """A table as pyarrow has it: its columns are values, not names."""

    columns = tuple(DATA.T)

    def to_pandas(self):
        return pd.DataFrame(DATA, columns=["a", "b"])


IN_MEMORY = {
    "array": lambda: DATA,
    "list": lambda: DATA.tolist(),
    "list of arrays": lambda: list(DATA),
    "tuple": lambda: tuple(map(tuple, DATA)),
    "eager tensor": lambda: tf.constant(DATA),
    "variable": lambda: tf.Variable(DATA),
    "keras variable": lambda: keras.Variable(DATA, dtype="float64"),
    "pandas frame": lambda: pd.DataFrame(DATA),
    "another frame": HasColumns,
    "table": Table,
}
STREAMS = {
    "tf.data": lambda: tf.data.Dataset.from_tensor_slices(DATA).batch(4),
    "tf.data with targets": lambda: tf.data.Dataset.from_tensor_slices((DATA, DATA)).batch(4),
    "PyDataset": lambda: Batches(with_targets=False),
    "PyDataset with targets": lambda: Batches(with_targets=True),
    "generator function": lambda: lambda: (DATA[i : i + 4] for i in (0, 4)),
    "function that returns a list": lambda: lambda: [DATA[:4].tolist(), DATA[4:].tolist()],
    "function that returns frames": lambda: lambda: [tf.constant(DATA)],
}


@pytest.mark.parametrize("kind", IN_MEMORY | STREAMS)
def test_every_accepted_kind_gives_the_same_rows_again_and_again(kind):
    rows = as_rows((IN_MEMORY | STREAMS)[kind]())
    for _ in range(3):
        np.testing.assert_array_equal(every_row(rows), DATA)


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_what_is_in_memory_is_an_array_and_can_be_cut_into_batches(kind):
    rows = as_rows(IN_MEMORY[kind]())
    np.testing.assert_array_equal(rows.array, DATA)
    batches = list(rows.batches(4))
    assert [len(batch) for batch in batches] == [4, 2]
    np.testing.assert_array_equal(np.concatenate(batches), DATA)


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_keeps_its_own_batches(kind):
    rows = as_rows(STREAMS[kind]())
    assert rows.array is None
    assert [len(b) for b in rows.batches(1)] == [len(b) for b in rows.read()]


def test_nothing_of_a_stream_is_read_before_it_is_asked_for():
    def explode():
        raise AssertionError("read too early")

    as_rows(explode)


def test_an_array_is_neither_copied_nor_changed():
    assert as_rows(DATA).array is DATA


def test_every_real_dtype_is_taken(real_dtype):
    X = (DATA % 2).astype(real_dtype)
    rows = as_rows(X)
    assert rows.array.dtype.kind in "iuf"
    np.testing.assert_array_equal(rows.array, X.astype(float))
    assert not len(non_finite_rows(rows.array))
    np.testing.assert_array_equal(as_rows(pd.DataFrame(X)).array, X.astype(float))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint16", "bool"])
def test_tensors_of_real_dtypes_are_taken(dtype):
    want = (DATA % 2).astype(dtype)
    np.testing.assert_array_equal(as_rows(tf.constant(want)).array, want.astype(float))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_masked_values_are_missing(dtype):
    X = np.ma.masked_array((DATA % 2).astype(dtype), mask=DATA == 3)
    want = np.where(DATA == 3, np.nan, DATA % 2)
    np.testing.assert_array_equal(as_rows(X).array, want)
    np.testing.assert_array_equal(every_row(as_rows(lambda: [X])), want)


def test_images_keep_their_shape():
    assert as_rows(np.zeros((3, 4, 4, 1), "uint8")).array.shape == (3, 4, 4, 1)


# Data frames.


def frame():
    return pd.DataFrame(
        {
            "double": [1.0, 2.0, np.nan],
            "whole": [1, 2, 3],
            "flag": [True, False, True],
            "Float64": pd.array([1.5, None, 2.5], dtype="Float64"),
            "Int64": pd.array([1, 2, None], dtype="Int64"),
            "boolean": pd.array([None, True, False], dtype="boolean"),
            "complete": pd.array([1, 2, 3], dtype="Int32"),
            "objects": pd.Series([1, None, 2.5], dtype=object),
            "category": pd.Categorical([3, 1, 3]),
        }
    )


def test_missing_values_of_every_numeric_column_become_nan():
    nan = np.nan
    rows = as_rows(frame())
    assert rows.columns.names == tuple(frame().columns)
    want = [
        [1, 1, 1, 1.5, 1, nan, 1, 1, 3],
        [2, 2, 0, nan, 2, 1, 2, nan, 1],
        [nan, 3, 1, 2.5, nan, 0, 3, 2.5, 3],
    ]
    np.testing.assert_array_equal(rows.array, want)
    np.testing.assert_array_equal(non_finite_rows(rows.array), [0, 1, 2])


def test_a_frame_is_not_changed():
    X = frame()
    as_rows(X)
    pd.testing.assert_frame_equal(X, frame())


@pytest.mark.parametrize(
    "column",
    [
        ["a", "b", "c"],
        ["1.5", "2.5", "3.5"],
        [1.0, "b", None],
        pd.Categorical(["low", "high", "low"]),
        pd.to_datetime(["2020-01-01"] * 3),
        [1 + 2j, 0, 0],
        [[1], [2], [3]],
    ],
    ids=["text", "digits", "mixed", "category", "date", "complex", "lists"],
)
def test_columns_without_numbers_are_named_in_the_error(column):
    X = pd.DataFrame({"good": [1.0, 2.0, 3.0], "bad one": column})
    with pytest.raises(InvalidInputError, match=r"columns \['bad one'\] do not hold numbers"):
        as_rows(X)


def test_a_frame_without_columns_is_refused():
    with pytest.raises(InvalidInputError, match="no columns"):
        as_rows(pd.DataFrame(index=range(3)))


def test_columns_of_one_name_are_refused_by_that_name():
    """Selecting by name gives both at once, twice."""
    with pytest.raises(InvalidInputError, match=r"several columns named \['a'\]"):
        as_rows(pd.DataFrame(np.zeros((2, 3)), columns=["a", "a", "b"]))


def test_names_are_text():
    assert as_rows(pd.DataFrame(DATA)).columns.names == ("0", "1")
    assert as_rows(DATA).columns.names is None


def test_a_frame_with_the_known_columns_passes_and_so_does_what_has_none():
    as_rows(DATA, names=("a", "b"))
    for names in (None, ("a", "b")):
        as_rows(pd.DataFrame(DATA, columns=["a", "b"]), names=names)


def test_frames_inside_a_stream_must_agree_with_each_other_and_with_fit():
    first, other = pd.DataFrame(DATA, columns=["a", "b"]), pd.DataFrame(DATA, columns=["b", "a"])
    rows = as_rows(lambda: iter([first, other]))
    with pytest.raises(InvalidInputError, match="another order"):
        list(rows.read())
    assert rows.columns.names == ("a", "b")
    with pytest.raises(InvalidInputError, match="another order"):
        list(as_rows(lambda: iter([other]), names=("a", "b")).read())


# What is refused.


@pytest.mark.parametrize(
    "make",
    [
        lambda: (batch for batch in [DATA]),
        lambda: iter([DATA]),
        lambda: map(np.asarray, [DATA]),
        lambda: iter(tf.data.Dataset.from_tensors(DATA)),
    ],
    ids=["generator", "iterator", "map", "tf.data iterator"],
)
def test_what_can_be_read_only_once_is_refused_with_advice(make):
    with pytest.raises(InvalidInputError, match=r"read only once. Pass the function .*: lambda:"):
        as_rows(make())


@pytest.mark.parametrize(
    ("X", "what"),
    [
        (None, "NoneType"),
        ("text", "str"),
        (b"bytes", "bytes"),
        ({"a": [1.0]}, "dict"),
        ({1.0, 2.0}, "X is a set"),
        (object(), "X is a object"),
        (3.5, "single number"),
        (np.float32(1), "single number"),
        (DATA.astype(complex), "complex128"),
        (DATA.astype("M8[s]"), "datetime64"),
        (np.zeros(3, dtype=[("a", float)]), "not real numbers"),
        ([[1.0], [1.0, 2.0]], "list"),
        (tf.ragged.constant([[1.0], [1.0, 2.0]]), "RaggedTensor|object"),
        (tf.sparse.from_dense(DATA), "SparseTensor"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value[:8],
)
def test_what_holds_no_rows_of_numbers_is_refused_with_what_is_accepted(X, what):
    with pytest.raises(InvalidInputError, match=rf"({what})[\s\S]*Pass a NumPy array"):
        as_rows(X)


@pytest.mark.parametrize(
    ("X", "what"),
    [
        (DATA.astype(object), r"object values, not .* with X\.astype\(float\)"),
        (DATA.astype(str), r"<U\d+ values, such as '0\.0', not .* with X\.astype\(float\)"),
        (np.array([[1.0, None]]), r"object values, such as None, .* with X\.astype\(float\)"),
        (np.array([["x" * 99]]), r"such as 'x{1,20}\.\.\.x+', not"),
        ([[1.0, None]], r"such as None, .* with np\.asarray\(X\)\.astype\(float\)"),
        ([["1.5", "2.5"]], r"such as '1\.5', .* with np\.asarray\(X\)\.astype\(float\)"),
        (tf.constant(["1.5"]), r"such as b'1\.5', .* with np\.asarray\(X\)\.astype\(float\)"),
    ],
    ids=["objects", "digits", "None", "long", "list", "list of digits", "tensor"],
)
def test_numbers_in_disguise_are_refused_with_the_way_to_convert_them(X, what):
    with pytest.raises(InvalidInputError, match=what):
        as_rows(X)
    with pytest.raises(InvalidInputError, match=what):
        list(as_rows(lambda: [X]).read())


def test_the_ways_to_convert_that_errors_name_work():
    want = [[1.0, np.nan]]
    np.testing.assert_array_equal(as_rows(np.array([[1, None]]).astype(float)).array, want)
    np.testing.assert_array_equal(as_rows(np.asarray([["1", "nan"]]).astype(float)).array, want)
    frame = pd.DataFrame(DATA, columns=["a", "b"])
    np.testing.assert_array_equal(as_rows(frame.iloc[[0]]).array, DATA[:1])
    np.testing.assert_array_equal(as_rows(frame[["a"]]).array, DATA[:, :1])


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_a_sparse_matrix_is_refused_with_the_way_to_a_dense_one(kind):
    X = kind(DATA)
    with pytest.raises(InvalidInputError, match=rf"{kind.__name__}\): use X\.toarray\(\)"):
        as_rows(X)
    np.testing.assert_array_equal(as_rows(X.toarray()).array, DATA)


@pytest.mark.parametrize("pick", [lambda f: f.iloc[0], lambda f: f["a"]], ids=["row", "column"])
def test_a_series_is_refused_with_the_way_to_a_frame(pick):
    series = pick(pd.DataFrame(DATA, columns=["a", "b"]))
    with pytest.raises(InvalidInputError, match=r"X is a Series, .* frame\.iloc\[\[0\]\]"):
        as_rows(series)


@pytest.mark.parametrize("kind", ["tf.data with targets", "PyDataset with targets", "tuples"])
def test_labels_of_a_stream_are_dropped_and_the_log_says_so_once(kind, caplog):
    tuples = {"tuples": lambda: lambda: [(DATA[:4], 1, 2), (DATA[4:], 1, 2)]}
    rows = as_rows((STREAMS | tuples)[kind]())
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        for _ in range(3):
            np.testing.assert_array_equal(every_row(rows), DATA)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "(labels) is ignored" in record.message


def test_streams_without_labels_are_read_without_a_word(caplog):
    singles = as_rows(lambda: [(DATA[:4],), (DATA[4:],)])
    plain = as_rows(STREAMS["PyDataset"]())
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        np.testing.assert_array_equal(every_row(singles), every_row(plain))
    assert not caplog.records


@pytest.mark.parametrize(
    "stream",
    [
        lambda: [DATA.astype(complex)],
        lambda: [None],
        lambda: [{"a": 1.0}],
        lambda: [()],
        lambda: [3.5],
    ],
    ids=["complex", "None", "dict", "empty tuple", "numbers"],
)
def test_a_stream_of_something_else_is_refused_when_it_is_read(stream):
    rows = as_rows(stream)
    with pytest.raises(InvalidInputError, match="Pass a NumPy array"):
        list(rows.read())


# --- Arrow --------------------------------------------------------------------------------------


def arrow():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": DATA[:, 0], "b": DATA[:, 1]})
    return pa, table


@pytest.mark.parametrize("batch", ["table", "record batch"])
def test_arrow_is_the_same_alone_and_in_a_stream(batch):
    _, table = arrow()
    parts = table.to_batches(max_chunksize=4)
    parts = [table.slice(0, 4), table.slice(4)] if batch == "table" else parts
    for X in (lambda: iter(parts), lambda: [(part, 0) for part in parts]):
        rows = as_rows(X, names=("a", "b"))
        np.testing.assert_array_equal(every_row(rows), DATA)
    np.testing.assert_array_equal(as_rows(parts[0], names=("a", "b")).array, DATA[:4])
    for X in (parts[0], lambda: iter(parts)):
        with pytest.raises(InvalidInputError, match=r"missing \['c'\]") as caught:
            every_row(as_rows(X, names=("a", "b", "c")))
        assert len(str(caught.value)) < 200


def test_a_reader_of_arrow_batches_is_passed_as_a_function():
    pa, table = arrow()
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    with pytest.raises(InvalidInputError, match="read only once"):
        as_rows(reader)
    make = functools.partial(pa.RecordBatchReader.from_batches, table.schema, table.to_batches())
    np.testing.assert_array_equal(every_row(as_rows(make)), DATA)


# --- streams whose end nobody sees --------------------------------------------------------------


def test_a_stream_without_an_end_is_not_read_in_silence(monkeypatch, caplog):
    monkeypatch.setattr(inputs, "_MANY_ROWS", 20)
    endless = as_rows(lambda: itertools.repeat(DATA))
    for _ in itertools.islice(endless.read(), 60):  # 360 rows
        pass
    said = [record.args[0] for record in caplog.records]
    assert said == ["24", "42", "84", "162", "324"]
    assert "more to come" in caplog.records[0].message
    # Later passes over the same rows have nothing new to say.
    for _ in itertools.islice(endless.read(), 60):
        pass
    assert len(caplog.records) == len(said)


def test_short_streams_and_arrays_are_read_without_a_word(monkeypatch, caplog):
    monkeypatch.setattr(inputs, "_MANY_ROWS", 7)
    for X in (DATA, np.tile(DATA, (9, 1)), lambda: [DATA[:3], DATA[3:]]):
        every_row(as_rows(X))
    assert not caplog.records


def test_what_keeps_all_rows_in_memory_ends_an_endless_stream(monkeypatch):
    monkeypatch.setattr(in_memory, "_MOST_BYTES", 10 * DATA.nbytes)
    with pytest.raises(InvalidInputError, match=r"66 rows, .* keeps all rows in memory"):
        in_memory.read_rows(lambda: itertools.repeat(DATA))
    # What is in memory already is its owner's affair.
    assert len(in_memory.read_rows(np.tile(DATA, (20, 1)))[0]) == 120


# --- what errors say of many names, and of each kind of value -----------------------------------

DAYS = pd.to_datetime(["2020-01-01", None, "2020-01-03"])
KINDS = {
    "dates": (DAYS, r"(pd.to_datetime(X['odd']) - pd.Timestamp('2000-01-01')).dt.total_seconds()"),
    "days": (
        [datetime.date(2020, 1, 1)] * 3,
        r"(pd.to_datetime(X['odd']) - pd.Timestamp('2000-01-01')).dt.total_seconds()",
    ),
    "dates as text": (
        ["2020-01-01", None, "2020-01-03 10:30"],
        r"(pd.to_datetime(X['odd'], format='ISO8601') - pd.Timestamp('2000-01-01'))"
        ".dt.total_seconds()",
    ),
    "durations": (pd.to_timedelta([1, None, 3], unit="s"), "X['odd'].dt.total_seconds()"),
    "decimals": ([decimal.Decimal("1.5"), None, decimal.Decimal(2)], "X['odd'].astype(float)"),
    "numbers": (["1.5", None, "2"], "X['odd'].astype(float)"),
    "nearly": (["1.5", "?", "2"], "pd.to_numeric(X['odd'], errors='coerce')"),
    "commas": (["1,5", None, "2,25"], "X['odd'].str.replace(',', '.').astype(float)"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_column_gets_advice_that_works(kind):
    values, advice = KINDS[kind]
    X = pd.DataFrame({"good": [1.0, 2.0, 3.0], "odd": values})
    with pytest.raises(InvalidInputError) as caught:
        as_rows(X)
    assert advice in str(caught.value)
    assert "OneHotEncoder" not in str(caught.value)
    mended = as_rows(X.assign(odd=eval(advice, {"X": X, "pd": pd}))).array
    assert np.isfinite(mended[[0, 2]]).all()
    assert len(np.unique(mended[[0, 2], 1])) == (1 if kind == "days" else 2)


def test_the_first_value_that_is_not_a_number_is_named_with_its_row():
    X = pd.DataFrame({"age": ["1", "2", None, "n/a", "3", "n/a", "7", "8"]})
    with pytest.raises(InvalidInputError, match=r"except for 2 values, the first 'n/a' in row 3 "):
        as_rows(X)
    with pytest.raises(InvalidInputError, match=r"not a number is 'n/a', in row 3 \(counted from"):
        as_rows(X.to_numpy())


@pytest.mark.parametrize("dtype", ["M8[s]", "m8[s]"])
def test_arrays_of_dates_and_durations_get_advice_that_works(dtype):
    X = DATA.astype(dtype)
    with pytest.raises(InvalidInputError, match="such as the seconds") as caught:
        as_rows(X)
    advice = str(caught.value).split("the seconds ")[1].split(". Pass")[0]
    seconds = as_rows(eval(advice, {"X": X, "np": np})).array
    np.testing.assert_array_equal(np.diff(seconds, axis=0), 2.0)


def test_errors_about_thousands_of_columns_can_be_read():
    many = [f"a rather long name {i}" for i in range(5000)]
    numbers = pd.DataFrame(np.zeros((2, 5000)), columns=many)
    other = numbers.rename(columns=str.upper)
    twice = pd.concat([numbers, numbers], axis=1)
    for X, names in ((other, many), (numbers[many[::-1]], many), (twice, None)):
        with pytest.raises(InvalidInputError) as caught:
            as_rows(X, None if names is None else tuple(names))
        assert "4990 others" in str(caught.value)
        assert len(str(caught.value)) < 1200
    with pytest.raises(InvalidInputError, match="4990 others") as caught:
        as_rows(pd.DataFrame(np.full((2, 5000), "x", object), columns=many))
    assert len(str(caught.value)) < 1200
