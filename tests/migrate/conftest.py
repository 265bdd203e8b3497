"""Artefacts that alibi-detect wrote; tests/golden/make_alibi_detect.py made them."""

import shutil
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "alibi_detect"


@pytest.fixture(scope="session")
def golden():
    """Folder of the artefacts; tests must leave it as it is."""
    return GOLDEN


@pytest.fixture
def artefact(tmp_path):
    """A copy of the tabular artefact, to be spoilt."""
    return Path(shutil.copytree(GOLDEN / "tabular", tmp_path / "detector"))
