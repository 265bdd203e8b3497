"""Metadata that somebody else has sealed, and files that are not plain, are refused by name."""

import os

import numpy as np
import pytest

from aegmm_detect.configs.export import METADATA_FILE
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.scoring import Scorer


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"threshold": "NaN"}, "NaN would call every row an outlier"),
        ({"threshold": None}, "threshold"),
        ({"largest_difference": "NaN"}, "largest_difference"),
        ({"more": 1}, "more"),
        ({"files": {"a": -1}}, r"files\.a"),
        ({"meta": {}}, r"meta\.name"),
    ],
)
def test_values_that_no_export_writes_are_refused(exported, forged, tmp_path, values, reason):
    path = forged(exported, tmp_path / "forged", **values)
    with pytest.raises(
        ArtefactError, match=rf"{METADATA_FILE} does not fit its format: .*{reason}"
    ):
        Scorer(path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"shape": []}, "at least 1 item"),
        ({"shape": [0]}, "greater than or equal to 1"),
        ({"shape": [2**62]}, "at most 4,194,304 numbers fit"),
        ({"shape": [2] * 9}, "at most 8 items"),
        ({"shape": [2**11] * 2 + [2]}, "at most 4,194,304 numbers fit"),
        ({"name": "x" * 10**6}, "at most 1000 characters"),
        ({"columns": ["a"]}, "1 columns for rows of shape"),
        ({"dtype": "object"}, "dtype"),
    ],
)
def test_rows_out_of_bounds_are_refused(exported, forged, tmp_path, values, reason):
    rows = {"name": "x", "shape": [6], "dtype": "float32", "columns": None} | values
    path = forged(exported, tmp_path / "forged", input=rows)
    with pytest.raises(ArtefactError, match=rf"does not fit its format: input.*{reason}"):
        Scorer(path)


@pytest.mark.parametrize("shape", [[5], [6, 1], [3, 2]])
def test_rows_of_another_width_than_the_graphs_are_refused(exported, forged, tmp_path, shape):
    rows = {"name": "x", "shape": shape, "dtype": "float32", "columns": None}
    for trusted in (False, True):
        path = forged(exported, tmp_path / str(trusted), input=rows)
        with pytest.raises(ArtefactError, match="its metadata say"):
            Scorer(path, trusted=trusted)


def test_an_infinite_threshold_is_none_of_these(exported, forged, tmp_path):
    path = forged(exported, tmp_path / "forged", threshold="Infinity")
    assert Scorer(path).predict(np.zeros((1, 6)))["data"]["is_outlier"].tolist() == [0]


def _pipe(path):
    os.mkfifo(path)


def _elsewhere(path):
    (path.parent.parent / "secret").write_text("{}")
    path.symlink_to("../secret")


@pytest.mark.skipif(os.name != "posix", reason="needs pipes and links")
@pytest.mark.parametrize("make", [_pipe, _elsewhere])
def test_what_is_not_a_plain_file_is_refused_unread(exported, forged, tmp_path, make):
    """`tests/untrusted` tries more of them."""
    names = sorted(path.name for path in exported.iterdir())
    for name in names:
        path = forged(exported, tmp_path / name / "forged")
        (path / name).unlink()
        make(path / name)
        with pytest.raises(ArtefactError, match=name):
            Scorer(path)


def test_a_deep_metadata_file_is_refused(exported, forged, tmp_path):
    path = forged(exported, tmp_path / "forged")
    (path / METADATA_FILE).write_text('{"kind":' + "[" * 10**5 + "]" * 10**5 + "}")
    with pytest.raises(ArtefactError, match="not part of an exported detector"):
        Scorer(path)
