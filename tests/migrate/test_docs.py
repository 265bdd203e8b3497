"""What the page on migration shows runs as written."""

import re
import shutil
import textwrap
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "migration.rst"


def test_saved_detectors_are_carried_over_as_the_page_shows(golden, tmp_path, monkeypatch):
    shutil.copytree(golden / "tabular", tmp_path / "old_detector")
    shutil.copy(golden / "tabular" / "expected.npz", tmp_path / "old_scores.npz")
    shutil.copytree(golden / "own_features", tmp_path / "old_detector_with_features")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)",
        PAGE.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(compile(textwrap.dedent(block), str(PAGE), "exec"), names)
    with np.load(golden / "own_features" / "expected.npz") as expected:
        found = names["detector"].predict(expected["rows"])["data"]["is_outlier"]
        np.testing.assert_array_equal(found, expected["is_outlier"])
