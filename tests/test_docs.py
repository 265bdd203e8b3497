"""Pages whose code runs as written, from top to bottom, and prints what they say."""

import contextlib
import io
import re
import sys
import textwrap
import types
from pathlib import Path

import numpy as np
import pytest

from aegmm_detect.registry import DETECTORS, get_detector
from aegmm_detect.saving import load_detector, save_detector

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^\.\. code-block:: (python|text)\n\n((?:(?:   .*)?\n)+)", flags=re.MULTILINE)


def run(page):
    """Names that the page defines, what it prints, and what it says that it prints."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = [(kind, textwrap.dedent(body)) for kind, body in BLOCK.findall(text)]
    code = "".join(body for kind, body in blocks if kind == "python")
    names = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, page, "exec"), names)
    said = "".join(body for kind, body in blocks if kind == "text")
    return names, printed.getvalue().split(), said.split()


def test_thresholds():
    names, printed, said = run("thresholds.rst")
    assert names["detector"].threshold is not None
    assert len(said) > 50
    for got, want in zip(printed, said, strict=True):
        try:
            # Other versions of SciPy may find the maximum elsewhere in the last digits.
            assert float(got) == pytest.approx(float(want), rel=0.05, abs=0.02)
        except ValueError:
            assert got == want


def test_calibration(caplog):
    names, *_ = run("calibration.rst")
    assert list(names["data"]) == ["instance_score", "feature_score", "p_value", "is_outlier"]
    assert names["found"][380:].mean() > 0.5
    assert names["found"][:380].sum() < 0.3 * names["found"].sum()
    assert names["found"].dtype == np.int64
    assert "Calibrate on at least 99 rows" in caplog.text


def test_explanations():
    _, printed, said = run("explanations.rst")
    assert printed == said


def test_quality():
    _, printed, said = run("quality.rst")
    for got, want in zip(printed, said, strict=True):
        assert got == want or float(got) == pytest.approx(float(want), abs=0.02)


def test_online():
    _, printed, said = run("online.rst")
    assert printed == said


def test_laplacian():
    _, printed, said = run("laplacian.rst")
    assert printed == said


def test_variants():
    _, printed, said = run("variants.rst")
    assert printed == said


def test_the_detector_of_the_contributing_page_is_one(monkeypatch, normal_rows, tmp_path):
    text = (DOCS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"## A new detector\n.*?```python\n(.*?)```", text, flags=re.DOTALL)
    module = types.ModuleType("aegmm_of_mine")
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    name = "OutlierSmallCodeAEGMM"
    monkeypatch.setitem(DETECTORS, name, f"{module.__name__}:{name}")
    detector = get_detector(name).auto(6, ensemble=1, seed=0, threshold=0.0)
    log = detector.fit(normal_rows, epochs=2, verbose=0).history
    assert list(log) == ["cov_diag", "energy", "loss", "recon", "size"]
    save_detector(detector, tmp_path / "mine.aegmm")
    other = load_detector(tmp_path / "mine.aegmm")
    np.testing.assert_array_equal(other.score(normal_rows), detector.score(normal_rows))


def test_detectors_of_classes():
    _, printed, said = run("per_class.rst")
    assert printed == said
