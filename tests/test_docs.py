"""Pages whose code runs as written, from top to bottom, and prints what they say."""

import contextlib
import io
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.parametrize("name", ["plain_autoencoder", "shrunk_covariance"])
def test_the_contributing_page_shows_the_detectors_that_the_tests_run(name):
    text = (DOCS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = (DOCS.parent / "tests" / "toys" / f"{name}.py").read_text(encoding="utf-8")
    assert f"```python\n{code}```" in text
    assert len(code.splitlines()) <= 40


def test_detectors_of_classes():
    _, printed, said = run("per_class.rst")
    assert printed == said
