"""Only regular files are read, and only those of their folder, whatever takes their place."""

import contextlib
import os
import socket
import threading

import pytest

from aegmm_detect.exceptions import ArtefactError, MigrationError
from aegmm_detect.untrusted import files
from aegmm_detect.untrusted.files import opened, read_inside

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs pipes and links")


def _pipe(path):
    os.mkfifo(path)


def _socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(here)


def _zero(path):
    path.symlink_to("/dev/zero")


def _loop(path):
    path.symlink_to(path.name)


def _sparse(path):
    with path.open("wb") as file:
        file.truncate(2**29)


def _folder(path):
    path.mkdir()


ODD = [_pipe, _socket, _zero, _loop, _sparse, _folder]


@pytest.mark.parametrize("make", ODD)
def test_what_is_not_a_plain_file_is_refused_unread(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(MigrationError, match="x"):
        read_inside(tmp_path, "x", 2**30, MigrationError)
    with pytest.raises(MigrationError, match="x"), opened(tmp_path / "x", MigrationError):
        pass


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000, "file/inner"])
def test_names_that_no_file_can_have_are_refused(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(ArtefactError):
        read_inside(tmp_path, name, 100)


def test_what_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_inside(tmp_path, "x", 100)
    with pytest.raises(FileNotFoundError), opened(tmp_path / "x"):
        pass


def test_links_count_as_far_as_they_stay_in_the_folder(tmp_path):
    folder = tmp_path / "folder"
    (folder / "..data").mkdir(parents=True)
    (folder / "..data" / "x").write_bytes(b"inside")
    (folder / "x").symlink_to("..data/x")
    (tmp_path / "secret").write_bytes(b"outside")
    (folder / "y").symlink_to("../secret")
    (tmp_path / "alias").symlink_to(folder)
    assert read_inside(folder, "x", 100) == b"inside"
    assert read_inside(tmp_path / "alias", "x", 100) == b"inside"
    for name in ("y", "../secret"):
        with pytest.raises(ArtefactError, match="leads out of its folder"):
            read_inside(folder, name, 100)
    with opened(folder / "y") as stream:  # named by the caller
        assert stream.read() == b"outside"


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_all_of_a_file_up_to_the_limit_is_read(tmp_path, size):
    (tmp_path / "x").write_bytes(bytes(size))
    assert read_inside(tmp_path, "x", 100) == bytes(size)


def test_a_larger_file_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(bytes(101))
    with pytest.raises(ArtefactError, match="has 101 bytes; at most 100 fit"):
        read_inside(tmp_path, "x", 100)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"1234")
    real = files._check_regular

    def grow(descriptor, path, error):
        real(descriptor, path, error)
        size = os.fstat(descriptor)
        monkeypatch.setattr(files.os, "fstat", lambda _: size)
        with path.open("ab") as file:
            file.write(b"5")

    monkeypatch.setattr(files, "_check_regular", grow)
    with pytest.raises(ArtefactError, match="changes while it is read"):
        read_inside(tmp_path, "x", 100)


def test_a_file_that_is_swapped_for_a_link_all_the_time_never_leads_out(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"outside")
    (folder / "x").write_bytes(b"inside")
    done = threading.Event()

    def swap():
        while not done.is_set():
            (folder / "new").symlink_to("../secret")
            os.replace(folder / "new", folder / "x")
            (folder / "new").write_bytes(b"inside")
            os.replace(folder / "new", folder / "x")

    thread = threading.Thread(target=swap)
    thread.start()
    found = []
    try:
        for _ in range(2000):
            with contextlib.suppress(ArtefactError):
                found.append(read_inside(folder, "x", 100))
    finally:
        done.set()
        thread.join()
    assert set(found) == {b"inside"}
