"""The file of a checkpoint: whole or not there, and never taken for what it is not."""

import contextlib
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegmm_detect.exceptions import CheckpointError
from aegmm_detect.training import checkpoint_file
from aegmm_detect.training.checkpoint_file import read, write

CONTENT = {"epochs": 3, "net": [np.arange(40.0).reshape(8, 5), np.float32(0.1)], "none": None}


def assert_holds(path, content=CONTENT):
    found = read(path)
    assert list(found) == list(content)
    np.testing.assert_equal(found, content)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.npz"


def test_what_is_written_is_read(path):
    assert read(path) is None
    write(path, CONTENT)
    assert_holds(path)
    write(path, {"other": (1, 2)})
    assert_holds(path, {"other": (1, 2)})
    assert os.listdir(path.parent) == ["fit.npz"]


def test_numpy_opens_it_without_pickle(path):
    write(path, CONTENT)
    with np.load(path, allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("first", [True, False])
def test_a_write_that_breaks_off_leaves_what_was_there(path, monkeypatch, function, first):
    if not first:
        write(path, CONTENT)

    def fail(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        with pytest.raises(OSError, match="no space left"):
            write(path, {"new": 1})
    if first:
        assert read(path) is None
    else:
        assert_holds(path)
    # What it left behind is in nobody's way.
    write(path, {"new": 1})
    assert_holds(path, {"new": 1})
    assert os.listdir(path.parent) == ["fit.npz"]


def test_bytes_are_on_disk_before_they_get_the_name(path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def noted(*arguments, name=name, real=real):
            calls.append(name)
            return real(*arguments)

        monkeypatch.setattr(os, name, noted)
    write(path, CONTENT)
    # The file's content, its name, and the folder that holds the name.
    assert calls[:2] == ["fsync", "replace"]
    assert calls[2:] in ([], ["fsync"])


@given(st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_refused_or_changes_nothing(path, data):
    write(path, CONTENT)
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans(), label="cut off"):
        damaged = content[:place]
    else:
        flipped = content[place] ^ (1 << data.draw(st.integers(0, 7)))
        damaged = content[:place] + bytes([flipped]) + content[place + 1 :]
    path.write_bytes(damaged)
    with contextlib.suppress(CheckpointError):
        # Dates and the like, in the headers of the archive, can be anything.
        assert_holds(path)


def test_damage_to_what_counts_is_refused(path):
    write(path, CONTENT)
    content = bytearray(path.read_bytes())
    content[content.index(np.float64(17.0).tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"fit\.npz cannot be read .* it is damaged"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x05\x06" + 18 * b"\0"])
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged, or no file of this kind"):
        read(path)


def test_an_archive_of_something_else_is_refused(path):
    np.savez(path, weights=np.ones(3))
    with pytest.raises(CheckpointError, match="damaged, or no file of this kind"):
        read(path)


def test_another_format_is_refused(path, monkeypatch):
    monkeypatch.setattr(checkpoint_file, "FORMAT", 0)
    write(path, CONTENT)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"has format 0, and .* reads 1"):
        read(path)
