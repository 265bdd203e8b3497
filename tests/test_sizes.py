import pytest

from aegmm_detect.sizes import BYTES_AT_ONCE, how_many_fit


@pytest.mark.parametrize("shape", [(1,), (118,), (64, 64, 3), (2**24,)])
@pytest.mark.parametrize("item_bytes", [4, 8])
def test_no_more_than_fit_and_never_none(shape, item_bytes):
    n = how_many_fit(shape, 8192, item_bytes=item_bytes)
    assert 1 <= n <= 8192
    size = item_bytes
    for length in shape:
        size *= length
    assert n == 1 or n * size <= BYTES_AT_ONCE
    assert n == 8192 or (n + 1) * size > BYTES_AT_ONCE


def test_the_memory_may_be_given():
    assert how_many_fit((10,), 1000, n_bytes=4000) == 100
