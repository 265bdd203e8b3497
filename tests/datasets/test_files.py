import decimal
import gzip
import re
import sys

import numpy as np
import pytest
from scipy.io import savemat

from aegmm_detect.datasets import from_file
from aegmm_detect.exceptions import (
    ConfigurationError,
    DataIntegrityError,
    InvalidInputError,
    MissingExtraError,
)

X = np.array([[1.5, 2.0], [3.0, 4.0], [5.0, 6.0]])
Y = np.array([0, 1, 0])


@pytest.fixture
def csv(tmp_path):
    pytest.importorskip("pandas")

    def write(text, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


@pytest.mark.parametrize("suffix", ["npz", "mat"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_arrays_come_back(tmp_path, suffix, dtype):
    path = tmp_path / f"mine.{suffix}"
    arrays = {"X": X.astype(dtype), "y": Y[:, None].astype(np.uint8)}
    if suffix == "npz":
        np.savez(path, **arrays)
    else:
        savemat(path, arrays)
    data = from_file(path)
    np.testing.assert_array_equal(data.X, X.astype(dtype))
    assert data.X.dtype == (np.float32 if dtype == np.float32 else np.float64)
    assert data.y.tolist() == [0, 1, 0]
    assert data.y.dtype == np.int64
    assert (data.name, data.kinds, data.feature_names) == ("mine", None, ("x0", "x1"))


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "ROWS.CSV"])
def test_tables_come_back(csv, name):
    data = from_file(csv("a,label,b\n1.5,0,2\n3,1,4\n5,0,\n", name))
    np.testing.assert_array_equal(data.X, [[1.5, 2], [3, 4], [5, np.nan]])
    assert data.feature_names == ("a", "b")
    assert data.y.tolist() == [0, 1, 0]


def test_parquet_comes_back(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": X[:, 0].astype(np.float32), "kind": ["ok", "bad", "ok"]})
    frame.to_parquet(tmp_path / "rows.parquet")
    data = from_file(tmp_path / "rows.parquet", target="kind", anomaly="bad")
    assert data.X.dtype == np.float32
    assert data.y.tolist() == [0, 1, 0]
    assert data.kinds.tolist() == ["ok", "bad", "ok"]


@pytest.mark.parametrize(
    "options",
    [
        {"anomaly": ["dos", "scan"]},
        {"anomaly": ("scan", "dos")},
        {"normal": "fine"},
        {"normal": {"fine"}},
    ],
)
def test_anomalies_are_named_or_what_is_normal_is(csv, options):
    data = from_file(csv("a,c\n1,fine\n2,dos\n3,scan\n"), target="c", **options)
    assert data.y.tolist() == [0, 1, 1]
    assert data.kinds.tolist() == ["fine", "dos", "scan"]


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ("0 1 0", {}),
        ("0.0 1.0 0.0", {}),
        ("False True False", {}),
        ("1 2 1", {"anomaly": 2}),
        ("1.0 2.0 1.0", {"anomaly": 2}),
        ("1 -1 1", {"anomaly": -1}),
        ("1 0 1", {"anomaly": 0}),
        ("1 7 3", {"normal": [1.0, 3]}),
    ],
)
def test_numeric_labels_mean_the_same_however_written(csv, written, options):
    rows = "".join(f"{i},{label}\n" for i, label in enumerate(written.split()))
    assert from_file(csv("a,label\n" + rows), **options).y.tolist() == [0, 1, 0]


@pytest.mark.parametrize("target", ["c", 2, -1])
def test_the_target_is_a_name_or_a_position(csv, target):
    assert from_file(csv("a,b,c\n1,2,0\n3,4,1\n"), target=target).feature_names == ("a", "b")


def test_a_table_may_have_no_header(csv):
    data = from_file(csv("1,2,0\n3,4,1\n"), target=-1, header=False)
    assert data.feature_names == ("x0", "x1")
    assert data.y.tolist() == [0, 1]


def test_images_come_back(tmp_path):
    images = np.zeros((3, 4, 4, 1), dtype=np.float32)
    np.savez(tmp_path / "images.npz", X=images, y=Y)
    data = from_file(tmp_path / "images.npz")
    assert data.X.shape == images.shape
    assert data.feature_names == ()
    assert data.subset([1]).X.shape == (1, 4, 4, 1)


def test_text_columns_are_refused_all_at_once_or_encoded_or_dropped(csv):
    path = csv("p,a,q,label\ntcp,1,x,0\nudp,2,y,1\ntcp,3,,0\n")
    with pytest.raises(InvalidInputError, match=r"\['p', 'q'\].*one_hot=True.*drop="):
        from_file(path)
    encoded = from_file(path, one_hot=True)
    assert encoded.feature_names == ("a", "p_tcp", "p_udp", "q_x", "q_y")
    np.testing.assert_array_equal(encoded.X, [[1, 1, 0, 1, 0], [2, 0, 1, 0, 1], [3, 1, 0, 0, 0]])
    assert from_file(path, drop=["p", "q"]).feature_names == ("a",)
    assert from_file(path, drop="p", one_hot=True).feature_names == ("a", "q_x", "q_y")


@pytest.mark.parametrize(
    ("text", "options", "error", "told"),
    [
        ("a,b\n1,2\n", {}, ConfigurationError, r"no column 'label'; it has \['a', 'b'\].*target="),
        ("a,b\n1,2\n", {"target": "c"}, ConfigurationError, r"no columns \['c'\]; it has"),
        ("1,2,0\n3,4,1\n", {"target": -1}, ConfigurationError, "is a row.*header=False"),
        (
            "0.126,-0.132,normal\n3,4,attack\n",
            {"target": -1, "anomaly": "attack"},
            ConfigurationError,
            "seems to be a row.*header=False",
        ),
        ("0,0,0\n3,4,1\n", {"target": -1}, ConfigurationError, "is a row.*header=False"),
        ("a,label\n", {}, InvalidInputError, "holds no rows"),
        ("label\n0\n1\n", {}, InvalidInputError, r"no columns besides \['label'\]"),
        ("a,label\n1,0\n2,1\n", {"anomaly": []}, ConfigurationError, "anomaly= names no label"),
        ("a,label\n1,2\n", {"target": 2}, ConfigurationError, "2 columns"),
        ("a,label\n1,0\n", {"drop": ["z"]}, ConfigurationError, r"\['z'\]"),
        ("a,label\n1,ok\n", {}, InvalidInputError, "'ok', not 0 and 1"),
        ("a,label\n1,ok\n", {"anomaly": "bad"}, InvalidInputError, r"\['bad'\]; they are 'ok'"),
        ("a,label\n1,0\n2\n", {}, InvalidInputError, "1 rows have no label.*row 1"),
        ("", {}, DataIntegrityError, "cannot be read"),
        ("a,label\n1,0,7\n2,1,8\n", {}, DataIntegrityError, "more fields"),
        ("a,label\n1,0\n2,1,8\n", {}, DataIntegrityError, "fields"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(csv, text, options, error, told):
    with pytest.raises(error, match=told):
        from_file(csv(text), **options)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"X": X}, r"no array 'y'; it has \['X'\]"),
        ({"X": X, "y": Y[:2]}, r"y has shape \(2,\), but X has 3 rows"),
        ({"X": X[:, 0], "y": Y}, "not real numbers of shape"),
        ({"X": X.astype(str), "y": Y}, "not real numbers"),
        ({"X": X, "y": np.array([0, np.nan, 1])}, "NaN"),
        ({"X": X, "y": np.array([0, None, 1])}, "allow_pickle"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, told):
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises((InvalidInputError, DataIntegrityError), match=told):
        from_file(tmp_path / "rows.npz")


@pytest.mark.parametrize("name", ["rows.npz", "rows.mat", "rows.csv.gz"])
def test_files_that_are_cut_short_absent_or_garbled_are_named(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(DataIntegrityError, match=name):
        from_file(path)
    for content in (b"", b"garbled, not of any format", gzip.compress(b"a,label\n" * 999)[:-9]):
        path.write_bytes(content)
        with pytest.raises(DataIntegrityError, match=name):
            from_file(path)


def test_a_single_array_under_a_wrong_name_is_refused(tmp_path):
    with (tmp_path / "rows.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataIntegrityError, match="single array"):
        from_file(tmp_path / "rows.npz")


def test_mat_files_of_the_hdf5_kind_are_named_as_such(tmp_path):
    header = b"MATLAB 7.3 MAT-file".ljust(124) + bytes([0, 2]) + b"IM"
    (tmp_path / "rows.mat").write_bytes(header + bytes(400))
    with pytest.raises(DataIntegrityError, match=r"7\.3"):
        from_file(tmp_path / "rows.mat")


def test_objects_in_mat_files_are_refused(tmp_path):
    cells = np.array([[np.zeros(1)], [np.zeros(2)], [np.zeros(3)]], dtype=object)
    savemat(tmp_path / "rows.mat", {"X": X, "y": cells})
    with pytest.raises(DataIntegrityError, match="objects"):
        from_file(tmp_path / "rows.mat")


def test_arguments_that_contradict_or_mean_nothing_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="not both"):
        from_file("rows.csv", anomaly=1, normal=0)
    with pytest.raises(ConfigurationError, match="suffixes"):
        from_file("rows.pickle")
    with pytest.raises(ConfigurationError, match="for tables"):
        from_file("rows.npz", one_hot=True)
    with pytest.raises(ConfigurationError, match="have names"):
        from_file("rows.mat", target=1)


@pytest.mark.parametrize(("module", "name"), [("pandas", "rows.csv"), ("pyarrow", "rows.parquet")])
def test_without_an_extra_the_install_command_is_named(tmp_path, monkeypatch, module, name):
    pytest.importorskip("pandas")
    (tmp_path / name).write_bytes(b"a,label\n1,0\n")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MissingExtraError, match=rf'needs {module}.*pip install "aegmm_detect\[data\]"'
    ):
        from_file(tmp_path / name)


# --- text that is not categories ----------------------------------------------------------------


def lines(*columns):
    return "".join(",".join(map(str, fields)) + "\n" for fields in zip(*columns, strict=True))


@pytest.mark.parametrize("options", [{}, {"one_hot": True}])
def test_a_numeric_column_with_some_text_names_the_first_such_value_and_its_row(csv, options):
    age = [*range(60), "?", *range(61, 100), "?"]
    path = csv("age,label\n" + lines(age, [0] * 101))
    told = r"'age' holds numbers except for 2 values, the first '\?' in row 60 .*na_values=\['\?'\]"
    with pytest.raises(InvalidInputError, match=told):
        from_file(path, **options)
    data = from_file(path, na_values="?", **options)
    assert data.feature_names == ("age",)
    assert np.flatnonzero(np.isnan(data.X[:, 0])).tolist() == [60, 100]
    # Unless these are codes, and the caller says so.
    assert from_file(path, one_hot=["age"]).X.shape == (101, 100)


def test_columns_of_names_do_not_become_a_column_each(csv):
    text = "user,kind,label\n" + lines(
        [f"user{i}" for i in range(500)], ["a", "b"] * 250, [0] * 500
    )
    path = csv(text)
    with pytest.raises(
        InvalidInputError, match=r"'user' holds 500 different texts in 500 rows.*dro"
    ):
        from_file(path, one_hot=True)
    assert from_file(path, one_hot=True, drop="user").feature_names == ("kind_a", "kind_b")
    assert from_file(path, one_hot=["kind"], drop="user").X.shape == (500, 2)
    assert from_file(path, one_hot=["kind", "user"]).X.shape == (500, 502)


def test_many_categories_are_too_many_unless_the_column_is_named(csv):
    path = csv("host,label\n" + lines([f"host{i % 1001}" for i in range(5000)], [0] * 5000))
    with pytest.raises(InvalidInputError, match="1,001 different texts in 5,000 rows"):
        from_file(path, one_hot=True)
    assert from_file(path, one_hot="host").X.shape == (5000, 1001)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1,5", "2,5", "3,25"], r"numbers with a comma, such as '1,5'.*decimal=','"),
        (["2020-01-01", "2020-02-01 10:00", "2020-03-01"], "dates, which are not categories"),
    ],
)
def test_numbers_with_commas_and_dates_get_their_own_advice(csv, values, told):
    path = csv("a;label\n" + "".join(f"{value};0\n" for value in values))
    with pytest.raises(InvalidInputError, match=told):
        from_file(path, sep=";", one_hot=True)


def test_one_hot_names_columns_that_are_there(csv):
    with pytest.raises(ConfigurationError, match=r"one_hot=\['z'\].*it has \['a'\]"):
        from_file(csv("a,label\n1,0\n"), one_hot="z")


def test_truth_values_with_gaps_and_decimals_are_numbers(tmp_path, csv):
    data = from_file(csv("a,label\nTrue,0\n,1\nFalse,0\n"))
    np.testing.assert_array_equal(data.X, [[1], [np.nan], [0]])
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    exact = [decimal.Decimal("1.25"), None, decimal.Decimal("2.5")]
    pd.DataFrame({"a": exact, "label": Y}).to_parquet(tmp_path / "rows.parquet")
    data = from_file(tmp_path / "rows.parquet")
    np.testing.assert_array_equal(data.X, [[1.25], [np.nan], [2.5]])


# --- how files are written ----------------------------------------------------------------------


@pytest.mark.parametrize("index", [range(3), [7, 2, 5]])
def test_row_numbers_that_pandas_wrote_are_no_feature(csv, tmp_path, caplog, index):
    pd = pytest.importorskip("pandas")
    pd.DataFrame({"a": X[:, 0], "label": Y}, index=index).to_csv(tmp_path / "rows.csv")
    for target in ("label", 2, -1):
        data = from_file(tmp_path / "rows.csv", target=target)
        assert data.feature_names == ("a",)
        assert "holds row numbers" in caplog.records.pop().message
        caplog.clear()
    # A column that the caller names, or that holds something else, is left alone.
    assert from_file(tmp_path / "rows.csv", drop="Unnamed: 0").feature_names == ("a",)
    assert from_file(csv(",label\n0.5,0\n1,1\n")).feature_names == ("Unnamed: 0",)
    assert from_file(csv("n,label\n0,0\n1,1\n")).feature_names == ("n",)
    assert not caplog.records


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
@pytest.mark.parametrize(("sep", "shown"), [(";", ";"), ("\t", r"\t"), ("|", "|")])
def test_another_separator_is_named(csv, sep, shown, name):
    path = csv("a,b,label\n1.5,2,0\n3,4,1\n".replace(",", sep).replace(".", ","), name)
    with pytest.raises(ConfigurationError, match=re.escape(f"pass sep='{shown}'")):
        from_file(path)
    data = from_file(path, sep=sep, decimal=",")
    np.testing.assert_array_equal(data.X, [[1.5, 2], [3, 4]])


@pytest.mark.parametrize(("encoding", "advice"), [("cp1252", "cp1252"), ("utf-16", "utf-16")])
def test_another_encoding_is_named(tmp_path, encoding, advice):
    pytest.importorskip("pandas")
    path = tmp_path / "rows.csv"
    path.write_bytes("Größe,label\n1,0\n2,1\n".encode(encoding))
    with pytest.raises(ConfigurationError, match=f"not written in .*encoding='{advice}'"):
        from_file(path)
    assert from_file(path, encoding=encoding).feature_names == ("Größe",)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sep": "::"}, "pass one character"),
        ({"sep": ""}, "pass one character"),
        ({"decimal": ""}, "pass one character"),
        ({"encoding": "latin-one"}, "Python knows no encoding of that name"),
    ],
)
def test_formats_that_there_are_not_are_refused(csv, options, told):
    with pytest.raises(ConfigurationError, match=told):
        from_file(csv("a,label\n1,0\n"), **options)
    with pytest.raises(ConfigurationError, match="are for CSV files"):
        from_file("rows.parquet", **options)


def test_tables_of_many_columns_give_short_errors(csv):
    names = [f"column number {i}" for i in range(1000)]
    path = csv(",".join(names) + "\n" + ",".join(["x"] * 1000) + "\n")
    for options in ({}, {"target": "y"}, {"drop": names[:800]}, {"target": names[0]}):
        with pytest.raises((ConfigurationError, InvalidInputError)) as caught:
            from_file(path, **options)
        assert len(str(caught.value)) < 1500


def test_names_that_are_counted_or_whose_target_is_named_make_a_header(csv):
    assert from_file(csv("0,1,label\n5,6,0\n7,8,1\n"), target=-1).feature_names == ("0", "1")
    spectra = from_file(csv("400.5,401.0,label\n5,6,0\n7,8,1\n"), target="label")
    assert spectra.feature_names == ("400.5", "401.0")
