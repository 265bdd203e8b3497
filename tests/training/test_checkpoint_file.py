"""The file of a checkpoint: whole or not there, and never taken for what it is not."""

import contextlib
import os
import re
import subprocess
import sys

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
    with pytest.raises(CheckpointError, match=r"fit\.npz is damaged, or is not .* CRC"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x05\x06" + 18 * b"\0"])
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged, or is not a checkpoint"):
        read(path)


def test_an_archive_of_something_else_is_refused(path):
    np.savez(path, weights=np.ones(3))
    with pytest.raises(CheckpointError, match="damaged, or is not a checkpoint"):
        read(path)


def test_another_format_is_refused(path, monkeypatch):
    monkeypatch.setattr(checkpoint_file, "FORMAT", 0)
    write(path, CONTENT)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"has format 0, and .* reads 1"):
        read(path)


def leave_as_killed(path):
    """Start a write in another process and kill it when its temporary file is there."""
    program = (
        "import os, signal, sys; from pathlib import Path; "
        "from aegmm_detect.training import checkpoint_file; "
        "os.fsync = lambda _: (print('written', flush=True), signal.pause()); "
        "checkpoint_file.write(Path(sys.argv[1]), {'other': 1})"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals and locks")
def test_what_a_killed_writer_leaves_is_swept_and_what_another_one_writes_is_not(path):
    with leave_as_killed(path) as other:
        try:
            assert other.stdout.readline() == "written\n"
            (temporary,) = os.listdir(path.parent)
            assert re.fullmatch(r"\.fit\.npz\.[0-9a-f]{16}\.tmp", temporary)
            write(path, CONTENT)
            assert sorted(os.listdir(path.parent)) == [temporary, "fit.npz"]
        finally:
            other.kill()
    write(path, CONTENT)
    assert os.listdir(path.parent) == ["fit.npz"]


def test_a_link_in_place_of_the_file_is_replaced_and_not_followed(path):
    other = path.with_name("other")
    other.write_text("mine")
    path.symlink_to(other)
    path.with_name("fit.npz.tmp").symlink_to(other)
    write(path, CONTENT)
    assert other.read_text() == "mine"
    assert not path.is_symlink()
    assert_holds(path)
