import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.row_sketch import RowSketch, RowSketchFit, row_hashes


def sketch_of(*batches, most=65_536):
    fit = RowSketchFit(RowSketch(most=most))
    for batch in batches:
        fit.update(batch)
    return fit.finish()


def rows(n, seed=0, width=3):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


@given(
    cuts=st.lists(st.integers(0, 300), max_size=8),
    most=st.sampled_from([1, 7, 100, 1000]),
    seed=st.integers(0, 99),
)
@settings(max_examples=50)
def test_batches_and_order_of_rows_change_nothing(cuts, most, seed):
    X = rows(300, seed)
    parts = np.split(np.random.default_rng(seed).permutation(X), sorted(cuts))
    np.testing.assert_array_equal(
        sketch_of(*parts, most=most).hashes, np.sort(row_hashes(X))[:most]
    )


def test_a_small_sketch_knows_every_row():
    sketch = sketch_of(rows(500))
    assert sketch.overlap(rows(500)[100:200]) == (100, 100)
    assert sketch.overlap(rows(500, seed=1)) == (0, 500)
    assert sketch.overlap(np.concatenate([rows(500)[:30], rows(70, seed=1)])) == (30, 100)


def test_a_full_sketch_stays_small_and_still_tells_the_share():
    X = rows(20_000)
    sketch = sketch_of(*np.array_split(X, 40), most=1000)
    assert sketch.hashes.nbytes == 8000
    seen, compared = sketch.overlap(X[:10_000])
    assert seen == compared  # every comparable row that was seen is found
    assert 400 < compared < 600
    mixed = np.concatenate([X[:4000], rows(12_000, seed=1)])
    seen, compared = sketch.overlap(mixed)
    assert 0.2 < seen / compared < 0.3


def test_rows_that_repeat_fill_no_room():
    X = rows(100)
    sketch = sketch_of(*[X] * 30, most=1000)
    assert len(sketch.hashes) == 100


@pytest.mark.parametrize("dtype", ["f4", "f8", "g", ">f4"])
def test_rows_are_the_same_whatever_holds_them(dtype):
    X = rows(50)
    for other in (X.astype(dtype), np.asfortranarray(X), X.reshape(50, 1, 3), X[:, ::-1][:, ::-1]):
        np.testing.assert_array_equal(row_hashes(other), row_hashes(X))


def test_hashes_tell_rows_apart():
    grid = np.stack(np.meshgrid(*[np.arange(30.0)] * 3), axis=-1).reshape(-1, 3)
    assert len(np.unique(row_hashes(grid))) == 27_000


def test_zeros_of_either_sign_are_equal():
    np.testing.assert_array_equal(
        row_hashes(np.array([[0.0, 1.0]])), row_hashes(np.array([[-0.0, 1]]))
    )


def test_no_rows_have_no_hashes():
    assert row_hashes(np.empty((0, 3))).shape == (0,)
    assert sketch_of(np.empty((0, 3))).overlap(rows(4)) == (0, 4)


def test_wide_rows_are_hashed_in_pieces_like_narrow_ones(monkeypatch):
    X = rows(100, width=20)
    whole = row_hashes(X)
    monkeypatch.setattr("aegmm_detect.row_sketch.how_many_fit", lambda *_: 12)
    np.testing.assert_array_equal(row_hashes(X), whole)
