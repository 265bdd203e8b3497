"""Whenever a save ends, the former detector or the new one is there, whole."""

import concurrent.futures
import contextlib
import fcntl
import itertools
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.saving.archive import read_archive, write_archive
from aegmm_detect.saving.directory import read_directory, write_directory
from aegmm_detect.saving.manifest import MANIFEST
from tests.dying import Killed, dying_at

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


# Where a writer touches the file system.
CALLS = ((os, "fsync"), (os, "replace"), (os, "open"), (Path, "unlink"))


def deaths(write, path, artefact, after, prepare):
    """Once for every step of a write: what came before, and the death in that step."""
    for n in itertools.count(1):
        prepare()
        try:
            with dying_at(n, after, CALLS):
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
    # A hidden file, and one that is only called like ours.
    mine = {".hidden.tmp", "encoder-0123456789abcdef.npz"}
    for name in mine:
        (tmp_path / name).write_text("mine")
    for _ in deaths(write_directory, tmp_path, new, True, lambda: write_directory(tmp_path, old)):
        pass
    write_directory(tmp_path, new)
    kept = {entry.name for entry in new.manifest.files.values()}
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST} | kept | mine


def test_what_a_killed_save_to_a_file_left_is_swept_and_what_a_living_one_writes_is_not(
    tmp_path, old
):
    path = tmp_path / "saved.aegmm"
    with contextlib.suppress(Killed), dying_at(2, True, CALLS):
        write_archive(path, old)
    assert len([*tmp_path.iterdir()]) == 1
    living = tmp_path / ".saved.aegmm.0123456789abcdef.tmp"
    with living.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        write_archive(path, old)
        assert {p.name for p in tmp_path.iterdir()} == {path.name, living.name}
    write_archive(path, old)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_prepared_list_of_files_removes_nothing_that_it_does_not_describe(tmp_path, old, new):
    """A manifest, or what a save has left of one, may name a file of the user's."""
    mine = tmp_path / "notes-0123456789abcdef.npz"
    mine.write_text("mine")
    entry = old.manifest.files["net"].replace(name=mine.name, size=4)
    listing = old.manifest.replace(files={"net": entry}).to_json()
    for name in (f".{MANIFEST}.pending", MANIFEST):
        (tmp_path / name).write_bytes(listing)
        write_directory(tmp_path, new)
        assert mine.read_text() == "mine"
        assert read_directory(tmp_path) == new


def test_a_temporary_name_follows_no_link(tmp_path, old):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    path = tmp_path / "saved.aegmm"
    (tmp_path / f"{path.name}.tmp").symlink_to(victim)
    (tmp_path / f".{path.name}.0123456789abcdef.tmp").symlink_to(victim)
    write_archive(path, old)
    assert victim.read_text() == "mine"


def test_what_is_replaced_keeps_its_mode_and_new_files_follow_the_umask(form, old, new):
    write, _, path = form
    before = os.umask(0o027)
    try:
        write(path, old)
        files = [path] if path.is_file() else [*path.iterdir()]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o640}
        for file in files:
            file.chmod(0o600)
        write(path, new)
        files = [path] if path.is_file() else [*path.iterdir()]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


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
    with pytest.raises(ArtefactError, match=r"other files: dir\.aegmm, file\. Save to a directory"):
        write_directory(tmp_path, new)
    place = tmp_path / "place"
    place.mkdir()
    for text in ("{}", "not json", '{"format": "other"}', "[1]"):
        (place / MANIFEST).write_text(text)
        with pytest.raises(ArtefactError, match="no manifest of a saved detector"):
            write_directory(place, new)
        assert (place / MANIFEST).read_text() == text


def test_a_directory_of_alibi_detect_is_not_written_to_and_not_mistaken(tmp_path, new):
    (tmp_path / "meta.dill").write_bytes(b"")
    for call in (lambda: write_directory(tmp_path, new), lambda: read_directory(tmp_path)):
        with pytest.raises(ArtefactError, match=r"migrate\.from_alibi_detect"):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["meta.dill"]


def test_a_damaged_detector_is_mended_by_saving_again(tmp_path, new):
    write_directory(tmp_path, new)
    for path in tmp_path.iterdir():
        if path.name != MANIFEST:
            path.write_bytes(b"")
    with pytest.raises(ArtefactError, match="damaged"):
        read_directory(tmp_path)
    write_directory(tmp_path, new)
    assert read_directory(tmp_path) == new
