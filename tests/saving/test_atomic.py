"""Whenever a save ends, the former detector or the new one is there, whole."""

import concurrent.futures
import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.saving.archive import read_archive, write_archive
from aegmm_detect.saving.directory import read_directory, write_directory
from aegmm_detect.saving.manifest import MANIFEST

ROOT = Path(__file__).parents[2]
FORMS = {
    "directory": (write_directory, read_directory, "saved"),
    "file": (write_archive, read_archive, "saved.aegmm"),
}


@pytest.fixture(params=FORMS)
def form(request, tmp_path):
    write, read, name = FORMS[request.param]
    return write, read, tmp_path / "place" / name


@pytest.fixture
def old(make_fake):
    return make_fake(net=b"old net" * 99, state=b"same state")


@pytest.fixture
def new(make_fake):
    return make_fake(net=b"new net" * 77, state=b"same state")


class Killed(BaseException):
    """Stands for the end of the process: nothing in the package catches it."""


@contextlib.contextmanager
def dying_at(n, after):
    """Let the process die at its n-th touch of the file system, before or after it takes effect."""
    touched = 0

    def mortal(call):
        def touch(*args, **kwargs):
            nonlocal touched
            touched += 1
            if touched > n or (touched == n and not after):
                raise Killed
            result = call(*args, **kwargs)
            if touched == n:
                with contextlib.suppress(AttributeError):
                    result.close()
                raise Killed
            return result

        return touch

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in [(os, "fsync"), (os, "replace"), (Path, "open"), (Path, "unlink")]:
            patch.setattr(owner, name, mortal(getattr(owner, name)))
        yield


def deaths(write, path, artefact, after, prepare):
    """Once for every step of a write: what came before, and the death in that step."""
    for n in itertools.count(1):
        prepare()
        try:
            with dying_at(n, after):
                write(path, artefact)
        except Killed:
            yield n
        else:
            return


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_step_it_leaves_the_old_or_the_new(form, old, new, after):
    write, read, path = form
    found = []
    for _ in deaths(write, path, new, after, lambda: write(path, old)):
        assert read(path) in (old, new)
        found.append(read(path) == new)
    assert len(found) >= 5
    assert found == sorted(found)  # new from one step on
    assert found[0] is False
    assert found[-1] is True


def test_killed_at_any_step_of_the_first_save_it_leaves_nothing_or_the_new(form, new):
    write, read, path = form

    def remove():
        shutil.rmtree(path.parent, ignore_errors=True)

    for _ in deaths(write, path, new, False, remove):
        try:
            assert read(path) == new
        except (ArtefactError, FileNotFoundError):
            write(path, new)  # what is left does not stand in the way
            assert read(path) == new


def test_a_directory_is_swept_of_what_killed_saves_left_and_of_nothing_else(tmp_path, old, new):
    mine = {"README.md", "model.keras", "encoder-123.keras", ".hidden.tmp"}
    for name in mine:
        (tmp_path / name).write_text("mine")
    for _ in deaths(write_directory, tmp_path, new, True, lambda: write_directory(tmp_path, old)):
        pass
    write_directory(tmp_path, new)
    kept = {entry.name for entry in new.manifest.files.values()}
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST} | kept | mine


def test_temporary_files_of_killed_saves_to_a_file_are_swept_when_old(tmp_path, old):
    path = tmp_path / "saved.aegmm"
    with contextlib.suppress(Killed), dying_at(2, True):
        write_archive(path, old)
    (left,) = tmp_path.iterdir()
    write_archive(path, old)
    assert left.exists()  # its writer may be alive
    os.utime(left, (0, 0))
    write_archive(path, old)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_old_and_no_temporary_file(form, old, new, monkeypatch):
    write, read, path = form
    write(path, old)
    before = sorted(path.parent.rglob("*"))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(path, new)
    monkeypatch.undo()
    assert read(path) == old
    assert sorted(path.parent.rglob("*")) == before


WRITER = """
import sys
from pathlib import Path
from aegmm_detect.saving.archive import read_archive, write_archive
from aegmm_detect.saving.directory import write_directory

folder = Path(sys.argv[1])
both = [read_archive(folder / name) for name in ("0.aegmm", "1.aegmm")]
print("ready", flush=True)
while True:
    for artefact in both:
        write_directory(folder / "saved", artefact)
        write_archive(folder / "saved.aegmm", artefact)
"""


def test_a_process_that_is_killed_while_it_saves_leaves_one_or_the_other(tmp_path, old, new):
    write_archive(tmp_path / "0.aegmm", old)
    write_archive(tmp_path / "1.aegmm", new)
    write_directory(tmp_path / "saved", old)
    write_archive(tmp_path / "saved.aegmm", old)
    draw = random.Random(5)
    for _ in range(4):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(draw.uniform(0.0, 0.1))
            writer.kill()
            assert writer.wait() == -signal.SIGKILL
        assert read_directory(tmp_path / "saved") in (old, new)
        assert read_archive(tmp_path / "saved.aegmm") in (old, new)


def test_readers_and_writers_at_once_only_see_whole_detectors(form, old, new):
    write, read, path = form
    write(path, old)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        writers = [
            pool.submit(lambda a=artefact: [write(path, a) for _ in range(30)])
            for artefact in (old, new)
        ]
        while not all(writer.done() for writer in writers):
            assert read(path) in (old, new)
        for writer in writers:
            writer.result()
    assert read(path) in (old, new)


def test_another_programs_files_are_not_overwritten(tmp_path, new):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ArtefactError, match=r"is a file\. Pass a directory"):
        write_directory(tmp_path / "file", new)
    (tmp_path / "dir.aegmm").mkdir()
    with pytest.raises(ArtefactError, match="is a directory"):
        write_archive(tmp_path / "dir.aegmm", new)
    for text in ("{}", "not json", '{"format": "other"}', "[1]"):
        (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(ArtefactError, match="not of a saved detector"):
            write_directory(tmp_path, new)
        assert (tmp_path / MANIFEST).read_text() == text


def test_a_damaged_detector_is_mended_by_saving_again(tmp_path, new):
    write_directory(tmp_path, new)
    for path in tmp_path.iterdir():
        if path.name != MANIFEST:
            path.write_bytes(b"")
    with pytest.raises(ArtefactError, match="damaged"):
        read_directory(tmp_path)
    write_directory(tmp_path, new)
    assert read_directory(tmp_path) == new
