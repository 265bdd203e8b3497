"""Whenever an export ends, the former one or the new one is there, whole, and nothing else goes."""

import hashlib
import itertools
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from aegmm_detect import folders
from aegmm_detect.configs.export import (
    METADATA_FILE,
    ExportedInput,
    ExportedMeta,
    ExportMetadata,
)
from aegmm_detect.exceptions import ArtefactError, ConfigurationError
from aegmm_detect.export import place
from aegmm_detect.files import staged_folder, write_atomically
from aegmm_detect.scoring.scorer import read_export
from tests.dying import Killed, dying_at

ROOT = Path(__file__).parents[2]
ROWS = {"name": "x", "dtype": "float32"}


def fill(folder, content, format="onnx", more=(), with_list=True):
    """What a fake export holds."""
    metadata = ExportMetadata(
        format=format,
        input=ExportedInput.of(**ROWS, shape=(2,)),
        threshold=0.0,
        nan_policy="raise",
        meta=ExportedMeta(
            name="D", detector_type="outlier", data_type=None, online=False, version="1"
        ),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    for name in (metadata.model_file, *more):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    if with_list:
        metadata = metadata.replace(files=place.listed(folder))
    (folder / METADATA_FILE).write_text(metadata.to_json())


def export(target, content, **how):
    """As `detector.export` does."""
    place.recover(target)
    place.refuse_foreign(target)
    with staged_folder(target) as staged:
        fill(staged, content, **how)
        place.put(staged, target)


def content_of(target):
    return read_export(target)[1]


@pytest.fixture(params=["exchange", "two renames"])
def system(request, monkeypatch, tmp_path):
    """Systems that can exchange names, and others."""
    if request.param == "two renames":
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    else:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").touch()
        possible = folders._exchange(tmp_path / "a", tmp_path / "b")
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        for path in tmp_path.iterdir():
            path.unlink() if path.is_file() else shutil.rmtree(path)
        if not possible:
            pytest.skip("this system cannot exchange two names")
    return request.param


# Where a writer touches the file system.
CALLS = (
    *((os, "replace"), (os, "chmod"), (shutil, "rmtree"), (Path, "write_text")),
    *((folders, "_exchange"), (folders, "sync_folder")),
)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_step_the_next_export_finds_the_former_or_the_new_one(
    system, tmp_path, after
):
    target = tmp_path / "export"
    found = []
    for n in itertools.count(1):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        export(target, b"old")
        try:
            with dying_at(n, after, CALLS):
                export(target, b"new")
        except Killed:
            pass
        else:
            break
        if system == "exchange":
            assert content_of(target) in (b"old", b"new")  # with no export coming after
        place.recover(target)
        found.append(content_of(target))
        export(target, b"next")
        assert content_of(target) == b"next"
        # The lock on what was staged is still held: this process lives. See the next test.
        assert list(tmp_path.glob(".*.former")) == []
    assert len(found) >= 4
    assert found == sorted(found, reverse=True)  # "old" up to one step, and "new" from there on
    assert (found[0], found[-1]) == (b"old", b"new")


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_place as t
if sys.argv[3] == "two renames":
    t.folders._exchange = lambda one, other: False
print("ready", flush=True)
while True:
    t.export(Path(sys.argv[1]), b"a" * 1000, more=("variables/variables.index",))
    t.export(Path(sys.argv[1]), b"b" * 1000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_process_that_is_killed_while_it_exports_leaves_one_or_the_other(system, tmp_path):
    target = tmp_path / "export"
    draw = random.Random(5)
    for _ in range(4):
        command = [sys.executable, "-c", WRITER, str(target), str(Path(__file__).parent), system]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(draw.uniform(0.05, 0.2))
            writer.kill()
            assert writer.wait() == -signal.SIGKILL
        place.recover(target)
        assert content_of(target) in (b"a" * 1000, b"b" * 1000)
        export(target, b"after")
        assert content_of(target) == b"after"
        assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_readers_and_writers_at_once_see_whole_exports(tmp_path):
    target = tmp_path / "export"
    export(target, b"0")
    if not folders._exchange(target, target):
        pytest.skip("this system cannot exchange two names")
    errors, done, whole = [], threading.Event(), 0

    def read():
        nonlocal whole
        while not done.is_set():
            try:
                whole += int(content_of(target)) < 100
            except ArtefactError as error:
                # The graph of one, the metadata of the other: two files are read one by one.
                if "sha256" not in str(error):
                    errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(100):
        export(target, b"%d" % i)
    time.sleep(0.2)  # with nobody writing, it reads one whole export at least
    done.set()
    reader.join()
    assert errors == []
    assert whole > 0


def test_another_programs_folder_is_not_taken_for_a_former_export(tmp_path):
    target = tmp_path / "export"
    mine = tmp_path / ".export.0123456789abcdef.former"
    mine.mkdir()
    (mine / "thesis.txt").touch()
    export(target, b"new")
    assert (mine / "thesis.txt").exists()
    other = tmp_path / ".export.notours.former"
    fill_in = tmp_path / "full"
    fill_in.mkdir()
    fill(fill_in, b"x")
    fill_in.rename(other)
    export(target, b"newer")
    assert other.exists()


@pytest.mark.skipif(os.name != "posix", reason="needs modes")
@pytest.mark.parametrize("mode", [0o700, 0o750, 0o775])
def test_modes_stay_and_new_ones_follow_the_umask(system, tmp_path, mode):
    target = tmp_path / "export"
    before = os.umask(0o027)
    try:
        export(target, b"old")
        assert stat.S_IMODE(target.stat().st_mode) == 0o750
        assert stat.S_IMODE((target / METADATA_FILE).stat().st_mode) == 0o640
        target.chmod(mode)
        (target / "model.onnx").chmod(0o600)
        export(target, b"new", more=("variables/variables.index",))
    finally:
        os.umask(before)
    assert content_of(target) == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert stat.S_IMODE((target / "model.onnx").stat().st_mode) == 0o600
    assert stat.S_IMODE((target / METADATA_FILE).stat().st_mode) == 0o640
    assert stat.S_IMODE((target / "variables").stat().st_mode) == 0o750


TF = ("variables/variables.index", "variables/variables.data-00000-of-00001", "fingerprint.pb")


@pytest.mark.parametrize("with_list", [True, False], ids=["with a list", "older"])
@pytest.mark.parametrize("name", ["notes.md", "variables/mine.csv", "assets/mine", "deep/a/b"])
def test_files_that_the_export_does_not_list_are_kept(system, tmp_path, name, with_list):
    target = tmp_path / "export"
    export(target, b"old", format="savedmodel", more=TF, with_list=with_list)
    (target / "assets").mkdir()  # as TensorFlow does
    export(target, b"old", format="savedmodel", more=TF, with_list=with_list)
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    (target / name).write_text("mine")
    with pytest.raises(
        ArtefactError, match=rf"holds .*{name}.*and exporting would delete it: move it"
    ):
        export(target, b"new")
    assert (target / name).read_text() == "mine"
    assert content_of(target) == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_metadata_that_cannot_be_read_again_are_not_written(tmp_path):
    export(tmp_path / "export", b"x")
    metadata = read_export(tmp_path / "export")[0]
    names = [f"column [{i}]" for i in range(10**5)]
    few = metadata.replace(input=ExportedInput.of(**ROWS, shape=(10**5,), columns=names))
    assert ExportMetadata.from_json(few.to_json(), "here") == few
    many = ExportedInput.of(**ROWS, shape=(2 * 10**5,), columns=[*names, *names])
    with pytest.raises(ArtefactError, match="fit to an array"):
        metadata.replace(input=many).to_json()


def test_a_list_that_names_a_file_of_the_users_does_not_remove_it(system, tmp_path):
    target = tmp_path / "export"
    export(target, b"old", more=("notes.txt",))
    (target / "notes.txt").write_text("the user's own")
    with pytest.raises(ArtefactError, match=r"holds notes\.txt"):
        export(target, b"new")
    assert (target / "notes.txt").read_text() == "the user's own"


@pytest.mark.skipif(os.name != "posix", reason="needs links and pipes")
@pytest.mark.parametrize("with_list", [True, False], ids=["with a list", "older"])
@pytest.mark.parametrize("make", [lambda path: path.symlink_to("x"), os.mkfifo])
def test_links_and_pipes_are_not_removed_whatever_is_listed(tmp_path, make, with_list):
    target = tmp_path / "export"
    export(target, b"old", with_list=with_list)
    (target / "model.onnx").unlink()
    make(target / "model.onnx")
    with pytest.raises(ArtefactError, match=r"holds model\.onnx"):
        export(target, b"new")
    assert os.path.lexists(target / "model.onnx")


def test_a_damaged_export_is_replaced(system, tmp_path):
    target = tmp_path / "export"
    export(target, b"old")
    (target / "model.onnx").write_bytes(b"cut")
    export(target, b"new")
    assert content_of(target) == b"new"


@pytest.mark.parametrize("path", [None, 3, b"q", "", " ", "a\0b", Path("models", "model.ONNX")])
def test_what_names_no_directory_is_an_error(path):
    with pytest.raises(ConfigurationError, match=r"path( is empty|=).*pass (the|a) name"):
        place.where_to_export(path)


def test_the_working_directory_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for path in (".", Path(), tmp_path / "in", "..", "../in/"):
        with pytest.raises(ConfigurationError, match="working directory"):
            place.where_to_export(path)
    assert place.where_to_export("models/1.5") == Path.cwd() / "models" / "1.5"
    assert place.where_to_export("../out") == tmp_path.resolve() / "out"
    (tmp_path / "in").rmdir()
    assert place.where_to_export(tmp_path / "in") == tmp_path.resolve() / "in"


@pytest.mark.skipif(os.name != "posix", reason="needs modes")
def test_rights_of_another_user_do_not_go_to_new_files(system, tmp_path):
    target = tmp_path / "export"
    export(target, b"old")
    (target / "model.onnx").chmod(0o6755)
    export(target, b"new")
    assert stat.S_IMODE((target / "model.onnx").stat().st_mode) == 0o755
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o4711)
    write_atomically(tmp_path / "file", b"new")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o711
    with staged_folder(tmp_path / "private", 0o700) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_is_no_folder_of_the_exports(tmp_path):
    target = tmp_path / "export"
    export(target, b"old", format="savedmodel", more=TF)
    (tmp_path / "elsewhere").mkdir()
    (target / "assets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtefactError, match="holds assets"):
        export(target, b"new")


def test_what_comes_while_the_export_is_made_is_kept(system, tmp_path):
    target = tmp_path / "export"
    export(target, b"old")
    with staged_folder(target) as staged:
        fill(staged, b"new")
        (target / "late.csv").write_text("mine")
        with pytest.raises(ArtefactError, match=r"late\.csv"):
            place.put(staged, target)
    assert (target / "late.csv").exists()
    assert content_of(target) == b"old"
