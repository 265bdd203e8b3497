"""Blocks of training batches: seeded shuffling, and what happens to the last batch.

A block is (data, n_steps): `data` holds up to S batches along its first axis, of which the first
`n_steps` count. Its shape never changes, so that one compiled program serves every block.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from aegmm_detect.types import Array, FloatArray

# A stream is shuffled through a buffer, as it need not fit into memory.
SHUFFLE_BUFFER_ROWS = 65_536
# A stream's blocks carry rows, not indices: keep one well inside the memory of a small machine.
_STREAM_BLOCK_BYTES = 16 * 2**20


@dataclasses.dataclass(frozen=True)
class ArrayRows:
    """Prepared training rows in memory; blocks carry row indices, the gather is on the device."""

    array: FloatArray  # (N, ...) float32

    @property
    def n_rows(self) -> int:
        """Rows of one epoch."""
        return len(self.array)

    def batches(self, size: int) -> Iterator[FloatArray]:
        """One pass in order."""
        return (self.array[i : i + size] for i in range(0, len(self.array), size))


@dataclasses.dataclass(frozen=True)
class StreamRows:
    """Prepared training rows that are read anew for every pass; blocks carry the rows."""

    read: Callable[[], Iterator[FloatArray]]  # float32 batches of any size
    n_rows: int
    shape: tuple[int, ...]  # of one row

    def batches(self, size: int) -> Iterator[FloatArray]:
        """One pass in order, in batches as they come, cut to `size` where larger."""
        return (
            batch[i : i + size] for batch in self.read() for i in range(0, len(batch), size)
        )


class Plan(NamedTuple):
    """How an epoch is cut up."""

    batch: int  # rows of every batch
    steps: int  # batches of an epoch
    steps_per_block: int
    passes: int  # over the rows, in one epoch


def plan(n_rows: int, batch_size: int, steps_per_block: int, min_steps: int = 1) -> Plan:
    """Cut an epoch into full batches and equal blocks.

    Where the batch size does not divide the rows, the last batch is filled up with rows of the
    same epoch, so that none is too short for a covariance. Where one pass has fewer than
    `min_steps` batches, an epoch is several passes: a dispatch per handful of steps would cost
    more than the steps.
    """
    batch = min(batch_size, n_rows)
    passes = math.ceil(min_steps * batch / n_rows)
    steps = math.ceil(n_rows * passes / batch)
    n_blocks = math.ceil(steps / steps_per_block)
    return Plan(batch, steps, math.ceil(steps / n_blocks), passes)


@dataclasses.dataclass(frozen=True)
class Blocks:
    """A repeating data set of blocks and the plan behind it."""

    dataset: tf.data.Dataset
    plan: Plan


def array_blocks(n_rows: int, cut: Plan, seed: int | None, shuffle: bool = True) -> Blocks:
    """Blocks of row indices, (S, batch) int32; a new full permutation for every pass."""

    def generate() -> Iterator[tuple[Array, int]]:
        rng = np.random.default_rng(seed)
        while True:
            orders = [
                rng.permutation(n_rows) if shuffle else np.arange(n_rows)
                for _ in range(cut.passes)
            ]
            epoch = np.resize(np.concatenate(orders).astype(np.int32), (cut.steps, cut.batch))
            for start in range(0, cut.steps, cut.steps_per_block):
                yield _padded(epoch[start : start + cut.steps_per_block], cut.steps_per_block)

    return Blocks(_blocks(generate, (cut.steps_per_block, cut.batch), "int32"), cut)


def stream_blocks(rows: StreamRows, cut: Plan, seed: int | None) -> Blocks:
    """Blocks of rows, (S, batch, ...) float32; shuffled through a buffer, over and over."""
    batches = (
        tf.data.Dataset.from_generator(
            rows.read, output_signature=tf.TensorSpec((None, *rows.shape), "float32")
        )
        .unbatch()
        .shuffle(min(SHUFFLE_BUFFER_ROWS, rows.n_rows), seed=seed)
        .repeat()
        .batch(cut.batch, drop_remainder=True)
    )

    def generate() -> Iterator[tuple[Array, int]]:
        source = batches.as_numpy_iterator()
        while True:
            for start in range(0, cut.steps, cut.steps_per_block):
                size = min(cut.steps_per_block, cut.steps - start)
                block = np.stack([next(source) for _ in range(size)])
                yield _padded(block, cut.steps_per_block)

    shape = (cut.steps_per_block, cut.batch, *rows.shape)
    return Blocks(_blocks(generate, shape, "float32"), cut)


def stream_block_limit(rows: StreamRows, batch_size: int) -> int:
    """Steps whose rows fit into one block of a stream."""
    return max(1, _STREAM_BLOCK_BYTES // (4 * math.prod(rows.shape) * batch_size))


def _padded(batches: Array, size: int) -> tuple[Array, int]:
    """A block of `size` batches; those beyond the given ones are there for the shape alone."""
    return np.resize(batches, (size, *batches.shape[1:])), len(batches)


def _blocks(
    generate: Callable[[], Iterator[tuple[Array, int]]], shape: tuple[int, ...], dtype: str
) -> tf.data.Dataset:
    signature = (tf.TensorSpec(shape, dtype), tf.TensorSpec((), "int32"))
    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(1)
