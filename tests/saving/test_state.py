"""Arrays come back as they were, and only arrays of numbers."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of_numpy

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.saving.arrays import arrays_from_bytes, arrays_to_bytes
from aegmm_detect.untrusted.stored import read_stored, write_stored

ARRAYS = st.dictionaries(
    st.sampled_from(["a", "density.0.1.mu", "file", "self", "allow", "b.c"]),
    arrays_of_numpy.arrays(
        st.sampled_from([np.float32, np.float64, np.bool_, np.dtype(">f8")]),
        arrays_of_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0),
    ),
    max_size=4,
)


@given(ARRAYS)
def test_arrays_come_back_bit_by_bit(arrays):
    back = arrays_from_bytes(arrays_to_bytes(arrays))
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (back[name].shape, back[name].dtype) == (array.shape, array.dtype)
        assert back[name].tobytes() == array.tobytes()


def test_arrays_in_the_order_of_fortran_come_back():
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(arrays_from_bytes(arrays_to_bytes({"a": array}))["a"], array)


@pytest.mark.parametrize("array", [np.arange(3), np.array(["x"]), np.array([1j]), np.array([b"x"])])
def test_other_arrays_are_refused(array):
    with pytest.raises(ArtefactError, match="does not hold"):
        arrays_from_bytes(arrays_to_bytes({"a": array}))


@given(st.dictionaries(st.text("abc", min_size=1), st.binary(max_size=50), max_size=5))
def test_members_come_back_and_make_the_same_bytes_every_time(members):
    content = write_stored(members)
    assert write_stored(members) == content
    assert read_stored(io.BytesIO(content), "here", str.isalpha) == members
