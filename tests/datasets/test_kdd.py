import gzip
import sys

import numpy as np
import pytest

from aegmm_detect.datasets import load_kdd99, load_nsl_kdd, sources
from aegmm_detect.datasets.kdd_format import (
    COLUMNS,
    CONTINUOUS_18,
    KDD99_VOCABULARY,
    NSL_KDD_VOCABULARY,
)
from aegmm_detect.exceptions import ConfigurationError, DataIntegrityError, MissingExtraError

pytest.importorskip("pandas")

TEXT = {"protocol_type": "tcp", "service": "http", "flag": "SF"}


def line(label, *trailing, **values):
    """A connection: column number i holds i / 100 unless said otherwise."""
    binary = {"land": 0, "logged_in": 1, "is_host_login": 0, "is_guest_login": 0}
    row = {name: i / 100 for i, name in enumerate(COLUMNS)} | TEXT | binary | values
    return ",".join(str(value) for value in [*row.values(), label, *trailing])


def write(path, lines):
    content = "".join(f"{text}\n" for text in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def kdd99(home, monkeypatch, unverified):
    """Write lines to the file of KDD Cup 99."""
    source = unverified(sources.KDD99)
    monkeypatch.setattr(sources, "KDD99", source)
    return lambda *lines: write(home / source.files[0].name, lines)


@pytest.fixture
def nsl_kdd(home, monkeypatch, unverified):
    """Write lines to the file of one part of NSL-KDD, in any of its forms."""
    entries = {part: unverified(source) for part, source in sources.NSL_KDD.items()}
    monkeypatch.setattr(sources, "NSL_KDD", entries)
    return lambda part, *lines, form=0: write(home / entries[part].files[form].name, lines)


def column(data, name):
    return data.X[:, data.feature_names.index(name)]


def test_the_vocabularies_give_the_published_widths():
    def width(vocabulary):
        return len(COLUMNS) - len(vocabulary) + sum(map(len, vocabulary.values()))

    assert len(COLUMNS) == 41
    assert len(CONTINUOUS_18) == 18
    assert width(KDD99_VOCABULARY) == 121
    assert width(NSL_KDD_VOCABULARY) == 122
    for words in (*KDD99_VOCABULARY.values(), *NSL_KDD_VOCABULARY.values()):
        assert list(words) == sorted(set(words))


def test_in_the_papers_form_normal_traffic_is_the_anomaly(kdd99):
    kdd99(line("normal."), line("smurf.", service="ecr_i"), line("normal.", flag="S0"))
    data = load_kdd99()
    assert data.X.shape == (3, 121)
    assert data.X.dtype == np.float32
    assert data.y.dtype == np.int64
    assert data.y.tolist() == [1, 0, 1]
    assert data.kinds.tolist() == ["normal", "smurf", "normal"]
    assert "attacks are the normal class" in data.anomaly


def test_each_symbolic_column_becomes_one_dummy_per_row_and_numbers_stay(kdd99):
    kdd99(line("normal."), line("smurf.", service="ecr_i", protocol_type="icmp", land=1))
    data = load_kdd99()
    numbers = [name for name in COLUMNS if name not in KDD99_VOCABULARY]
    assert data.feature_names[:34] == tuple(numbers)
    for name in numbers:
        np.testing.assert_allclose(column(data, name), COLUMNS.index(name) / 100, rtol=1e-6)
    for name, words in KDD99_VOCABULARY.items():
        dummies = np.column_stack([column(data, f"{name}_{word}") for word in words])
        np.testing.assert_array_equal(dummies.sum(axis=1), 1)
    np.testing.assert_array_equal(column(data, "service_ecr_i"), [0, 1])
    np.testing.assert_array_equal(column(data, "land_1"), [0, 1])


def test_rev_draws_a_quarter_as_many_attacks_by_its_seed_and_keeps_all_normal_rows(kdd99):
    attacks = [line("smurf.", duration=1000 + i) for i in range(40)]
    kdd99(*attacks[:20], *[line("normal.", duration=i) for i in range(24)], *attacks[20:])
    first, again, other = (load_kdd99("rev", seed=seed) for seed in (1, 1, 2))
    for data in (first, other):
        assert data.y.sum() == 6
        assert len(data.y) == 30
        np.testing.assert_array_equal(data.y == 1, data.kinds == "smurf")
        assert (np.diff(column(data, "duration")[data.y == 0]) > 0).all()
        assert len(np.unique(column(data, "duration"))) == 30  # without replacement
    np.testing.assert_array_equal(first.X, again.X)
    assert (first.X != other.X).any()


def test_the_18_columns_are_counts_and_rates_and_attacks_are_the_anomalies(kdd99):
    kdd99(line("normal."), line("smurf."))
    data = load_kdd99("continuous18")
    assert data.X.shape == (2, 18)
    assert data.feature_names == CONTINUOUS_18
    np.testing.assert_allclose(data.X[0], np.arange(23, 41) / 100, rtol=1e-6)
    assert data.y.tolist() == [0, 1]


@pytest.mark.parametrize("form", [0, 1])
def test_nsl_kdd_parts_share_their_columns_and_lose_the_difficulty(nsl_kdd, form):
    nsl_kdd("train", line("normal", 21), line("neptune", 19, service="private"), form=form)
    nsl_kdd("test", line("mscan", 3, service="http_8001"), form=form)
    both, train, test = load_nsl_kdd(), load_nsl_kdd("train"), load_nsl_kdd("test")
    assert both.feature_names == train.feature_names == test.feature_names
    assert "difficulty" not in both.feature_names
    assert both.X.dtype == np.float32
    np.testing.assert_array_equal(both.X, np.concatenate([train.X, test.X]))
    assert both.y.tolist() == [0, 1, 1]
    assert both.kinds.tolist() == ["normal", "neptune", "mscan"]
    np.testing.assert_array_equal(column(both, "service_http_8001"), [0, 0, 1])


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        (line("smurf.", service="gopher2"), r"service holds \['gopher2'\]"),
        (line("smurf.", service="http_8001"), "not among its 66"),
        (line("smurf.", is_host_login=1), "is_host_login"),
        (line("smurf.", duration="long"), "long"),
        (line("smurf.")[:60], "line 2 of 2 lacks fields"),
    ],
)
def test_a_damaged_line_is_refused(kdd99, damaged, told):
    kdd99(line("normal."), damaged)
    with pytest.raises(DataIntegrityError, match=told) as caught:
        load_kdd99()
    assert sources.KDD99.files[0].name in str(caught.value)


@pytest.mark.parametrize("text", [line("normal.", 21), line("normal.").partition(",")[2]])
def test_a_wrong_number_of_fields_is_refused(kdd99, text):
    kdd99(text)
    with pytest.raises(DataIntegrityError, match="fields per line, expected 42"):
        load_kdd99()


@pytest.mark.parametrize(
    "content",
    [b"", b"not gzip", gzip.compress(b"1,2\n" * 5000, mtime=0)[:-20]],
    ids=["empty", "no gzip", "cut"],
)
def test_a_file_that_cannot_be_unpacked_is_refused(home, kdd99, content):
    path = home / sources.KDD99.files[0].name
    path.write_bytes(content)
    with pytest.raises(DataIntegrityError, match=path.name):
        load_kdd99()


def test_an_altered_file_is_refused_before_it_is_parsed(home):
    (home / "KDDTrain+.txt").write_text(line("normal", 21))
    with pytest.raises(DataIntegrityError, match="sha256"):
        load_nsl_kdd("train")


def test_unknown_forms_and_parts_are_refused():
    with pytest.raises(ConfigurationError, match="continuous18"):
        load_kdd99("18")
    with pytest.raises(ConfigurationError, match="'test'"):
        load_nsl_kdd("valid")


def test_without_pandas_the_install_command_is_named(kdd99, monkeypatch):
    kdd99(line("normal."))
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r'pip install "aegmm_detect\[data\]"'):
        load_kdd99()
