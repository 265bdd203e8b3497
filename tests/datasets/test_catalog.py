import hashlib
import sys
from importlib import resources

import numpy as np
import pytest
from scipy.io import savemat

from aegmm_detect.datasets import (
    available,
    load,
    load_arrhythmia,
    load_kdd99_sample,
    load_thyroid,
)
from aegmm_detect.datasets.base import read_npz
from aegmm_detect.datasets.kdd_format import CONTINUOUS_18
from aegmm_detect.evaluation import distinct_rows
from aegmm_detect.exceptions import (
    ConfigurationError,
    DataIntegrityError,
    DataUnavailableError,
    MissingExtraError,
)


@pytest.fixture
def arrays_file(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez(path, X=np.arange(6.0).reshape(3, 2))
    return path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_thyroid_is_what_its_entry_says():
    thyroid = load_thyroid()
    assert thyroid.X.shape == (3772, 6)
    assert thyroid.X.dtype == np.float64
    assert len(thyroid.feature_names) == 6
    np.testing.assert_array_equal(thyroid.X.min(axis=0), 0.0)
    np.testing.assert_array_equal(thyroid.X.max(axis=0), 1.0)
    np.testing.assert_array_equal(np.unique(thyroid.y, return_counts=True), [[0, 1], [3679, 93]])
    assert thyroid.y.dtype == np.int64
    assert len(thyroid.X) - len(np.unique(thyroid.X, axis=0)) == 116


def test_thyroid_columns_are_named_in_order():
    """FTI = TT4 / T4U, so TT4 is bilinear in the other two, whatever the scaling."""
    thyroid = load_thyroid()
    column = dict(zip(thyroid.feature_names, thyroid.X.T, strict=True))
    terms = [column["T4U"], column["FTI"], column["T4U"] * column["FTI"]]
    design = np.column_stack([np.ones(len(thyroid.X)), *terms])
    _, residual, *_ = np.linalg.lstsq(design, column["TT4"], rcond=None)
    assert residual / (len(thyroid.X) * column["TT4"].var()) < 0.01


def test_the_sample_of_kdd99_is_what_its_entry_says():
    kdd = load_kdd99_sample()
    assert kdd.X.shape == (22_000, 18)
    assert kdd.X.dtype == np.float32
    assert kdd.y.dtype == np.int64
    assert kdd.feature_names == CONTINUOUS_18
    np.testing.assert_array_equal(np.unique(kdd.y, return_counts=True), [[0, 1], [20_000, 2_000]])
    np.testing.assert_array_equal(kdd.y == 0, kdd.kinds == "normal")
    assert (kdd.kinds == "neptune").sum() == 1_469
    assert len(np.unique(kdd.kinds)) == 17


def test_the_sample_of_kdd99_has_distinct_rows_of_counts_and_rates():
    kdd = load_kdd99_sample()
    assert len(distinct_rows(kdd.X, kdd.y)) == len(kdd.X)
    rate = np.array([name.endswith("_rate") for name in kdd.feature_names])
    np.testing.assert_array_equal(kdd.X[:, ~rate], np.rint(kdd.X[:, ~rate]))
    assert kdd.X[:, ~rate].max() == 511
    assert kdd.X.min() == 0
    # A rate is the float32 nearest to a number of two decimals, as if read from text.
    decimals = np.array([f"{value:.2f}" for value in kdd.X[:, rate].ravel()], dtype=np.float32)
    np.testing.assert_array_equal(kdd.X[:, rate].ravel(), decimals)
    assert kdd.X[:, rate].max() == 1


@pytest.mark.parametrize("load_embedded", [load_thyroid, load_kdd99_sample])
def test_loads_are_independent(load_embedded):
    load_embedded().X[:] = np.nan
    assert np.isfinite(load_embedded().X).all()


@pytest.mark.parametrize(
    ("load_embedded", "file", "doi"),
    [
        (load_thyroid, "thyroid.npz", "10.24432/C5D010"),
        (load_kdd99_sample, "kdd99_sample.npz", "10.24432/C51C7N"),
    ],
)
def test_attribution_travels_with_the_data(load_embedded, file, doi):
    folder = resources.files("aegmm_detect.datasets") / "data"
    data = load_embedded()
    assert doi in data.citation
    text = (folder / "README.md").read_text(encoding="utf-8")
    _, _, section = text.partition(f"## `{file}`")
    section, _, _ = section.partition("\n## ")
    size = f"{(folder / file).stat().st_size:,} bytes"
    for wanted in (sha256(folder / file), size, data.licence, doi):
        assert wanted in section


def test_every_embedded_file_is_described():
    folder = resources.files("aegmm_detect.datasets") / "data"
    text = (folder / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in folder.iterdir()} - {"README.md"}
    assert {name for name in files if f"## `{name}`" not in text} == set()


def test_the_right_bytes_are_read(arrays_file):
    np.testing.assert_array_equal(
        read_npz(arrays_file, sha256(arrays_file))["X"], [[0, 1], [2, 3], [4, 5]]
    )


def test_a_changed_file_is_refused_with_both_checksums(arrays_file):
    expected = sha256(arrays_file)
    content = bytearray(arrays_file.read_bytes())
    content[-1] ^= 1
    arrays_file.write_bytes(content)
    with pytest.raises(DataIntegrityError, match=expected) as caught:
        read_npz(arrays_file, expected)
    assert sha256(arrays_file) in str(caught.value)
    assert "pip install" in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataIntegrityError, match="cannot be read"):
        read_npz(tmp_path / "absent.npz", "0" * 64)


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, X=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_npz(path, sha256(path))


def test_every_name_can_be_loaded_or_says_how(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    embedded = {"thyroid": load_thyroid, "kdd99-sample": load_kdd99_sample}
    for name, load_embedded in embedded.items():
        np.testing.assert_array_equal(load(name).X, load_embedded().X)
        assert load(name).name == name
    for name in set(available()) - embedded.keys():
        with pytest.raises((MissingExtraError, DataUnavailableError), match="AEGMM_DATA_HOME"):
            load(name)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match="kdd99-rev"):
        load("kdd")


def test_a_name_that_decides_an_option_does_not_take_it():
    with pytest.raises(ConfigurationError, match="already decides form"):
        load("kdd99-rev", form="onehot")


@pytest.mark.parametrize("as_row", [True, False])
def test_arrhythmia_is_recognised_by_its_shape_where_no_checksum_is_known(home, as_row):
    X = np.random.default_rng(0).normal(size=(452, 274))
    y = np.arange(452) < 66
    savemat(home / "arrhythmia.mat", {"X": X, "y": y[None] if as_row else y[:, None]})
    data = load_arrhythmia()
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.y, y)
    savemat(home / "arrhythmia.mat", {"X": X[1:], "y": y[1:, None]})
    with pytest.raises(DataIntegrityError, match=r"\(451, 274\) and 65 anomalies"):
        load_arrhythmia()
