"""Changed and sealed exports are scored or refused; `benchmarks.fuzz_exports` tries more."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="changes graphs with it")
pytest.importorskip("flatbuffers", reason="changes graphs with it")
ROOT = Path(__file__).parents[2]


def test_changed_exports_end_well(exported, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.fuzz_exports import GOOD, fuzz

    counts, bad, _, megabytes = fuzz([exported], 30, 1, tmp_path)
    assert bad == []
    assert sum(counts.values()) == 30
    assert {outcome for _, outcome in counts} <= set(GOOD)
    assert len({outcome for _, outcome in counts}) >= 2  # some were scored, and some refused
    assert sys.platform != "linux" or 0 < megabytes < 200
