"""Arrays of strangers: as many numbers as there are bytes, or an error."""

import io

import numpy as np
import pytest

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.untrusted.arrays import array_from_bytes, array_to_bytes


def read(content, kinds="bfu"):
    return array_from_bytes(content, "it", kinds, MigrationError)


def with_header(text, data=b""):
    header = text.encode()
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + data


ARRAYS = [
    np.arange(6.0, dtype="f4").reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(0.5),
    np.zeros((0, 3)),
    np.array([True, False]),
    np.array([1, 2], "u1"),
    np.array([1.0], ">f8"),
]


@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_what_was_written_is_read(array):
    found = read(array_to_bytes(array))
    assert (found.shape, found.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(found, array)


def test_objects_are_neither_written_nor_read():
    objects = np.array([{}], object)
    with pytest.raises(ValueError, match="Object"):
        array_to_bytes(objects)
    stream = io.BytesIO()
    np.save(stream, objects, allow_pickle=True)
    with pytest.raises(MigrationError, match="it says"):
        read(stream.getvalue(), "O")


@pytest.mark.parametrize("array", [np.array([1]), np.array(["a"]), np.array([1j])], ids=str)
def test_other_kinds_are_refused_unless_asked_for(array):
    content = array_to_bytes(array)
    with pytest.raises(MigrationError, match="which it does not hold"):
        read(content)
    np.testing.assert_array_equal(read(content, array.dtype.kind), array)


@pytest.mark.parametrize(
    "shape", ["(2**62,)", "(4611686018427387904,)", "(-1,)", "(3,)", "(1.5,)", "1", "(0, 10**30)"]
)
def test_shapes_that_are_not_held_take_no_memory(shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n"
    with pytest.raises(MigrationError):
        read(with_header(header, bytes(8)))


def test_an_empty_shape_that_no_array_has_is_refused():
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': (0, {10**30}), }}\n"
    with pytest.raises(MigrationError, match="which no array has"):
        read(with_header(header))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\x93NUMPY", b"\x93NUMPY\1\0\xff\xff", with_header("[" * 1000)),
        *(with_header("__import__('os')"), with_header("{}"), b"\x93NUMPY\3\0" + bytes(100)),
    ],
)
def test_other_files_are_refused(content):
    with pytest.raises(MigrationError, match="it is"):
        read(content)


def test_every_cut_and_every_more_is_refused():
    content = array_to_bytes(np.arange(3.0))
    for changed in (*(content[:end] for end in range(len(content))), content + b"x"):
        with pytest.raises(MigrationError):
            read(changed)
