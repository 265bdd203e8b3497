"""Formulas for runtimes that lack a function are that function."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from aegmm_detect.numerics import portable

float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(deadline=None)  # the first call loads kernels
@given(st.lists(float32, min_size=1, max_size=20))
def test_arcsinh_is_that_of_numpy(values):
    x = np.array(values, dtype=np.float32)
    # Numbers so small that the product with 1 is rounded to zero are no matter.
    np.testing.assert_allclose(
        ops.convert_to_numpy(portable.arcsinh(ops.convert_to_tensor(x))),
        np.arcsinh(x.astype(np.float64)),
        rtol=1e-6,
        atol=1e-36,
    )


def test_arcsinh_has_no_seam():
    seams = np.float32([0.25, 1e8])
    x = np.stack([np.nextafter(seams, 0), seams, np.nextafter(seams, np.float32(np.inf))])
    got = ops.convert_to_numpy(portable.arcsinh(ops.convert_to_tensor(x)))
    assert (np.diff(got, axis=0) >= 0).all()


def test_arcsinh_of_what_is_no_number():
    x = ops.convert_to_tensor(np.float32([np.inf, -np.inf, np.nan]))
    np.testing.assert_array_equal(portable.arcsinh(x), np.float32([np.inf, -np.inf, np.nan]))


@settings(deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_is_finite_is_that_of_numpy(values):
    x = np.array(values, dtype=np.float32)
    got = portable.is_finite(ops.convert_to_tensor(x))
    np.testing.assert_array_equal(got, np.isfinite(x))


@settings(deadline=None)
@given(
    st.floats(-1e9, 1e9),
    st.floats(1e-3, 1e6),
    st.lists(st.floats(-100, 100), min_size=1, max_size=20),
)
def test_standardising_float32_rows_loses_nothing(offset, scale, spreads):
    """A time in seconds, say: what is left after the subtraction is exact."""
    offset_, scale_ = np.array([offset]), np.array([scale])
    x = (offset + scale * np.array(spreads)).astype(np.float32)[:, np.newaxis]
    got = ops.convert_to_numpy(portable.standardize(ops.convert_to_tensor(x), offset_, scale_))
    # Differences and quotients below the smallest normal number are 0.
    tiny = np.finfo(np.float32).tiny
    lost = tiny + (tiny + 1e-14 * abs(offset)) / scale
    np.testing.assert_allclose(got, (x - offset_) / scale_, rtol=3e-7, atol=lost)
