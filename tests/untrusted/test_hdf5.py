"""HDF5 files of strangers: numbers that are in the file are read, and nothing else is."""

import os
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np
import pytest

from aegmm_detect.exceptions import ArtefactError, MigrationError
from aegmm_detect.untrusted import hdf5, hdf5_child
from aegmm_detect.untrusted.hdf5 import read_contents


def read_datasets(contents, error):
    return {name: found.datasets for name, found in read_contents(contents, error).items()}


@pytest.fixture
def written(tmp_path):
    """Bytes of a file that a function fills."""

    def write(fill):
        path = tmp_path / "file.h5"
        with h5py.File(path, "w") as file:
            fill(file)
        content = path.read_bytes()
        path.unlink()
        return content

    return write


ARRAYS = {
    "layers/dense/vars/0": np.arange(6.0, dtype="f4").reshape(2, 3),
    "layers/dense/vars/1": np.float64(0.5),
    "layers/seed/vars/0": np.array([1, 2], "u4"),
    "deep/a/b/c/d": np.array([True, False]),
    "half": np.array([0.5, -2.0], "f2"),
    "empty": np.zeros((0, 3), "f4"),
    "count": np.array(7, "i8"),
}


def fill(file):
    for path, array in ARRAYS.items():
        file[path] = array


def test_every_dataset_comes_back_by_its_path(written):
    other = written(lambda file: file.create_dataset("x", data=np.ones(3, "f4")))
    found = read_datasets({"one": written(fill), "two": other}, ArtefactError)
    assert found.keys() == {"one", "two"}
    assert found["one"].keys() == ARRAYS.keys()
    for path, array in ARRAYS.items():
        assert found["one"][path].dtype == array.dtype
        np.testing.assert_array_equal(found["one"][path], array)
        assert found["one"][path].shape == array.shape
    np.testing.assert_array_equal(found["two"]["x"], np.ones(3))


def test_no_files_are_no_files():
    assert read_datasets({}, ArtefactError) == {}


def test_bfloat16_as_keras_stores_it_comes_as_bits(written):
    bits = np.array([0x3F80, 0xC000], "u2")
    found = read_datasets({"f": written(lambda f: f.__setitem__("x", bits.view("V2")))}, ValueError)
    np.testing.assert_array_equal(found["f"]["x"].view("u2"), bits)


def test_texts_of_groups_are_read_if_asked_for(written):
    def fill(file):
        group = file.create_group("a")
        group.attrs["names"] = ["x", "y"]
        group.attrs["one"] = b"z"
        group.attrs["other"] = "w"
        file.attrs["names"] = []

    (found,) = read_contents({"f": written(fill)}, ArtefactError, ("names", "one")).values()
    assert found.attributes == {"": {"names": []}, "a": {"names": ["x", "y"], "one": "z"}}


def soft(file):
    file["a"] = 1.0
    file["b"] = h5py.SoftLink("/a")


def circle(file):
    file.create_group("a")["b"] = file["/"]


def twice(file):
    file["a"] = np.zeros(1000)
    file["b"] = file["a"]


def unallocated(file):
    file.create_dataset("huge", (40_000, 40_000), "f8")


def zipped(file):
    zeros = np.zeros(2**22, "f4")
    file.create_dataset("zeros", data=zeros, compression="gzip", chunks=zeros.shape)


def compact(file):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_layout(h5py.h5d.COMPACT)
    space = h5py.h5s.create_simple((2,))
    h5py.h5d.create(file.id, b"small", h5py.h5t.NATIVE_FLOAT, space, settings)


def deep(file):
    file["/".join("g" * 70)] = 1.0


def many(file):
    for number in range(hdf5_child.MOST_OBJECTS + 1):
        file.create_group(str(number))


def texts(file):
    """Thousands of texts that all are the same megabyte on disk."""
    file.attrs.create("names", ["x" * 2**20] + ["y" * 40] * 2000, dtype=h5py.string_dtype())


ATTACKS = [
    (unallocated, "huge says \\(40000, 40000\\), which the file does not hold"),
    (zipped, "zeros is stored in a way that Keras does not use"),
    (compact, "small is stored in a way that Keras does not use"),
    (soft, "b is a link"),
    (lambda f: f.__setitem__("b", h5py.ExternalLink("other.h5", "/a")), "b is a link"),
    (circle, "a/b is in it under two names"),
    (twice, "in it under two names"),
    (lambda f: f.__setitem__("t", "text"), "t holds object"),
    (lambda f: f.__setitem__("t", np.array([b"text"])), r"t holds \|S4"),
    (lambda f: f.__setitem__("c", np.complex64(1)), "c holds complex64"),
    (lambda f: f.__setitem__("b", np.array([1.0], ">f4")), "b holds >f4"),
    (lambda f: f.__setitem__("t", np.dtype("f4")), "t is neither a group nor a dataset"),
    (lambda f: f.__setitem__("n", h5py.Empty("f4")), "n has no shape"),
    (deep, "deeper than 64 groups"),
    (many, "more than 10,000"),
]


@pytest.mark.parametrize(("fill", "reason"), ATTACKS)
def test_what_keras_does_not_write_is_rejected_quickly(written, fill, reason):
    content = written(fill)
    start = time.process_time()
    with pytest.raises(MigrationError, match=rf"^net\.h5 cannot be read: .*{reason}"):
        read_datasets({"net.h5": content}, MigrationError)
    assert time.process_time() - start < 2.0


def test_the_file_that_is_wrong_is_named(written):
    good, bad = written(fill), written(soft)
    with pytest.raises(ArtefactError, match=r"^second cannot be read"):
        read_datasets({"first": good, "second": bad, "third": good}, ArtefactError)


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_other_files_are_rejected(content):
    with pytest.raises(ArtefactError, match=r"^net\.h5 cannot be read"):
        read_datasets({"net.h5": content}, ArtefactError)


def test_data_out_of_the_file_are_rejected(written):
    content = written(fill)
    for end in range(len(content) - 8, 0, -len(content) // 5):
        with pytest.raises(ArtefactError, match="cannot be read"):
            read_datasets({"net.h5": content[:end]}, ArtefactError)


# In a process of its own, whose only child is the one that reads.
MEASURED = """
import resource, sys
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.untrusted.hdf5 import read_contents
with open(sys.argv[1], "rb") as file:
    content = file.read()
try:
    read_contents({"net.h5": content}, ArtefactError, ("names",))
except ArtefactError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much is taken")
def test_no_file_takes_more_memory_than_files_of_its_size_need(written, tmp_path):
    """The limit of the child, which holds whatever way a file finds around the checks."""
    content = written(texts)
    # Point all texts at the large one: 16 bytes each, of length, place and index.
    at = content.index((40).to_bytes(4, "little"))
    large = content[at - 16 : at]
    spoilt = content[:at] + large * 2000 + content[at + 16 * 2000 :]
    assert len(spoilt) == len(content)
    (tmp_path / "net.h5").write_bytes(spoilt)
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "net.h5")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    reason, kilobytes = done.stdout.splitlines()
    assert "memory" in reason
    assert int(kilobytes) < 2**18


def test_nothing_is_left_in_the_temporary_folder(written, monkeypatch, tmp_path):
    good, bad = written(fill), written(unallocated)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    read_datasets({"f": good}, ArtefactError)
    with pytest.raises(ArtefactError):
        read_datasets({"f": bad}, ArtefactError)
    assert os.listdir(tmp_path) == []


CHILD_ENDS = [
    ("raise SystemExit('the reason')", r"f cannot be read: the reason\. Restore it"),
    ('print(\'{"datasets": [["a", "<f4", [2]]], "attributes": {}}\')', "cut short"),
    ("import os; os.abort()", "the HDF5 library crashed with signal"),
]


@pytest.mark.parametrize(("body", "reason"), CHILD_ENDS)
def test_however_the_child_ends_there_is_one_error(tmp_path, monkeypatch, body, reason):
    (tmp_path / "its_child.py").write_text(f"def main(order):\n    {body}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(hdf5, "_PROGRAM", "its_child")
    with pytest.raises(ArtefactError, match=reason):
        read_contents({"f": b""}, ArtefactError, advice="Restore it.")


def test_a_file_that_the_library_reads_without_end_is_rejected(tmp_path, monkeypatch):
    """The child sets itself a limit of the processor's time."""
    lines = [
        "from aegmm_detect.untrusted import hdf5_child",
        "hdf5_child._SECONDS = 0.1",
        "def contents(content, attributes):",
        "    while True:",
        "        pass",
        "hdf5_child.contents = contents",
        "main = hdf5_child.main",
    ]
    (tmp_path / "its_child.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(hdf5, "_PROGRAM", "its_child")
    with pytest.raises(ArtefactError, match="reading it does not end"):
        read_datasets({"f": b""}, ArtefactError)
