"""The page on exports runs as written."""

import re
from pathlib import Path

import numpy as np
import pytest

from aegmm_detect.od import OutlierAEGMM

PAGE = (Path(__file__).parents[2] / "docs" / "export.rst").read_text(encoding="utf-8")


def test_the_page_runs_as_written(make_nets, normal_rows, tmp_path, monkeypatch):
    for name in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(name, reason="the page exports to ONNX")
    monkeypatch.chdir(tmp_path)
    detector = OutlierAEGMM(normalize="standard", **make_nets())
    detector.fit(normal_rows, epochs=0, verbose=0, seed=0)
    names = {"detector": detector, "X_mixed": normal_rows, "X_new": normal_rows[:50]}
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", PAGE)
    assert len(blocks) == 5
    for block in blocks:
        exec(compile(re.sub(r"^   ", "", block, flags=re.M), "docs/export.rst", "exec"), names)
    want = detector.predict(normal_rows[:50])["data"]
    np.testing.assert_allclose(names["scores"], want["instance_score"], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(names["is_outlier"], want["is_outlier"])
