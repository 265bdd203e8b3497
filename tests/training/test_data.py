"""Blocks: every row in every pass, no short batch, one shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.training.data import (
    ArrayRows,
    StreamRows,
    array_blocks,
    plan,
    steps_that_fit,
    stream_blocks,
)

COUNTS = {
    "n_rows": st.integers(2, 3000),
    "batch_size": st.integers(2, 600),
    "steps_per_block": st.integers(1, 300),
    "steps": st.none() | st.integers(1, 400),
}


def numbered(n_rows):
    """Rows that carry their own number."""
    return np.arange(n_rows, dtype=np.float32)[:, None]


def epoch(blocks):
    """Row numbers of the batches of one epoch, and the shapes of its blocks."""
    steps, shapes, batches = 0, set(), []
    for rows, n_steps in blocks.dataset:
        shapes.add(tuple(rows.shape))
        batches.extend(rows.numpy()[: int(n_steps), :, 0].astype(int))
        steps += int(n_steps)
        if steps >= blocks.plan.steps:
            return batches, shapes
    raise AssertionError("a data set of blocks repeats")


@settings(deadline=None, max_examples=200)
@given(**COUNTS)
def test_a_plan_covers_the_rows_with_full_batches_and_little_more(
    n_rows, batch_size, steps_per_block, steps
):
    cut = plan(n_rows, batch_size, steps_per_block, steps)
    assert 2 <= cut.batch <= batch_size
    if steps is None:
        assert 0 <= cut.steps * cut.batch - n_rows < cut.batch
    else:
        assert cut.steps == steps
        assert (cut.passes - 1) * n_rows < cut.steps * cut.batch <= cut.passes * n_rows
    assert cut.steps_per_block <= steps_per_block
    # As many blocks as Keras counts dispatches.
    n_blocks = -(-cut.steps // cut.steps_per_block)
    assert n_blocks == -(-cut.steps // steps_per_block)


@settings(deadline=None, max_examples=25)
@given(n_rows=st.integers(2, 300), batch_size=st.integers(2, 90), per_block=st.integers(1, 9))
def test_every_row_is_in_every_epoch_and_every_batch_has_distinct_rows(
    n_rows, batch_size, per_block
):
    blocks = array_blocks(ArrayRows(numbered(n_rows)), plan(n_rows, batch_size, per_block), seed=0)
    batches, shapes = epoch(blocks)
    steps, places = blocks.plan.steps_per_block, blocks.plan.places
    assert shapes == {(places, blocks.plan.batch, 1)}
    assert steps <= places <= 1.25 * steps
    assert set(np.concatenate(batches)) == set(range(n_rows))
    assert all(len(np.unique(batch)) == len(batch) for batch in batches[:-1])


def test_the_whole_array_is_shuffled_anew_each_epoch():
    blocks = array_blocks(ArrayRows(numbered(5000)), plan(5000, 500, 10), seed=0)
    passes = [rows.numpy().ravel() for rows, _ in blocks.dataset.take(2)]
    assert (passes[0] != passes[1]).mean() > 0.99
    for rows in passes:
        # A window of 1,024 rows over ordered data would leave a correlation near 1.
        assert abs(np.corrcoef(rows, np.arange(5000))[0, 1]) < 0.1


@pytest.mark.parametrize("kind", ["array", "stream"])
def test_the_seed_decides_the_order(kind):
    rows = numbered(200)

    def first(seed):
        cut = plan(200, 20, 10)
        if kind == "array":
            blocks = array_blocks(ArrayRows(rows), cut, seed)
        else:
            blocks = stream_blocks(StreamRows(lambda: iter([rows]), 200, (1,)), cut, seed)
        return np.concatenate(epoch(blocks)[0])

    np.testing.assert_array_equal(first(3), first(3))
    assert (first(3) != first(4)).any()
    assert (first(3) != np.arange(200)).any()


@pytest.mark.parametrize("kind", ["array", "stream"])
@pytest.mark.parametrize("steps", [None, 7, 25])
def test_a_later_epoch_can_be_the_first(kind, steps):
    """And has the batches that it has in a run from the start: in part of a pass, or several."""
    rows, cut = numbered(200), plan(200, 20, 4, steps)

    def batches(first_epoch, n_epochs):
        if kind == "array":
            made = array_blocks(ArrayRows(rows), cut, 3, first_epoch=first_epoch)
        else:
            stream = StreamRows(lambda: iter(np.array_split(rows, 3)), 200, (1,))
            made = stream_blocks(stream, cut, 3, first_epoch)
        n_blocks = n_epochs * -(-cut.steps // cut.steps_per_block)
        blocks = made.dataset.take(n_blocks).as_numpy_iterator()
        return np.concatenate([block[:n_steps, :, 0] for block, n_steps in blocks])

    whole = batches(0, 4)
    for first_epoch in range(4):
        np.testing.assert_array_equal(
            batches(first_epoch, 4 - first_epoch), whole[first_epoch * cut.steps :]
        )


def test_without_shuffling_rows_come_in_order():
    blocks = array_blocks(ArrayRows(numbered(10)), plan(10, 4, 2), seed=None, shuffle=False)
    assert [batch.tolist() for batch in epoch(blocks)[0]] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 0, 1],
    ]


def test_a_stream_yields_all_its_rows_whatever_its_batches():
    rows = numbered(103)
    stream = StreamRows(lambda: iter(np.array_split(rows, 9)), 103, (1,))
    batches, shapes = epoch(stream_blocks(stream, plan(103, 10, 4), seed=0))
    assert len(batches) == 11
    assert len(shapes) == 1
    # Batches run on into the next pass: all but the rows that fill the last one are distinct.
    assert len(set(np.concatenate(batches)[:103])) == 103


def test_blocks_stay_of_moderate_size():
    wide = ArrayRows(np.zeros((10_000, 1000), dtype=np.float32))
    assert steps_that_fit(wide, 1024) * 1024 * 4000 <= 32 * 2**20
    assert steps_that_fit(ArrayRows(np.zeros((4, 2), dtype=np.float32)), 2) > 1000


@pytest.mark.parametrize("source", ["array", "stream"])
def test_batches_in_order_give_every_row_once(source):
    rows = numbered(57)
    made = {
        "array": ArrayRows(rows),
        "stream": StreamRows(lambda: iter(np.array_split(rows, 3)), 57, (1,)),
    }[source]
    batches = list(made.batches(10))
    assert max(map(len, batches)) <= 10
    np.testing.assert_array_equal(np.concatenate(batches), rows)
