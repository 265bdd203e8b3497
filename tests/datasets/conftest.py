"""Folders with small files in place of the real ones, and the real ones where there are any."""

import dataclasses
import os
from pathlib import Path

import pytest

from aegmm_detect.datasets.fetch import DATA_HOME

_REAL = os.environ.get(DATA_HOME)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty data folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv(DATA_HOME, str(folder))
    return folder


@pytest.fixture
def real_file(monkeypatch):
    """Skip unless one of the named files is in the folder that AEGMM_DATA_HOME really names."""

    def need(*names):
        if not _REAL:
            pytest.skip(f"{DATA_HOME} is not set")
        if not any((Path(_REAL) / name).exists() for name in names):
            pytest.skip(f"{DATA_HOME} does not hold {' or '.join(names)}")
        monkeypatch.setenv(DATA_HOME, _REAL)

    return need


@pytest.fixture
def unverified():
    """The same entry for other bytes: checksums are no obstacle to small files."""

    def make(source):
        files = tuple(dataclasses.replace(file, sha256=None) for file in source.files)
        return dataclasses.replace(source, files=files)

    return make
