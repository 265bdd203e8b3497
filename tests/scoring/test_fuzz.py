"""Changed and sealed exports are scored or refused; `benchmarks.fuzz_exports` tries more."""

import sys

import pytest

pytest.importorskip("onnx", reason="changes graphs with it")
pytest.importorskip("flatbuffers", reason="changes graphs with it")

from benchmarks import fuzz_exports
from benchmarks.fuzzing_child import LOADED, REJECTED, in_children


def test_changed_exports_end_well(exported, tmp_path):
    paths = fuzz_exports.mutants([exported], tmp_path, 15, 1)
    results = in_children("benchmarks.fuzz_exports", paths)
    assert len(results) == 15
    assert {result.outcome for result in results} == {REJECTED, LOADED}
    most = max(result.megabytes for result in results)
    assert sys.platform != "linux" or most < fuzz_exports.MOST_MEGABYTES
