"""Blocks of training batches, with seeded shuffling and a full last batch.

A block is (rows, n_steps). `rows` (S, batch, ...) float32 holds S batches; the first `n_steps` are
used, the rest is padding. With labels, a pair (rows, labels) takes the place of `rows`, with labels
(S, batch) int32. All blocks have the same shape, so one compiled program serves every block.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

from aegmm_detect.sizes import how_many_fit
from aegmm_detect.types import Array, FloatArray, IntArray, Tensor

Result = TypeVar("Result")

# Maximum size of the buffer that shuffles a stream, because a stream may not fit into memory.
SHUFFLE_BUFFER_ROWS = 65_536
_SHUFFLE_BUFFER_BYTES = 256 * 2**20
# Size of a block; two blocks are in memory at a time. Larger blocks are not faster: with about 60
# steps of 1,024 rows of 118 features, the cost of starting a program is already negligible.
_BLOCK_BYTES = 32 * 2**20


@dataclasses.dataclass(frozen=True)
class ArrayRows:
    """Prepared training rows in memory."""

    array: FloatArray  # (N, ...) float32
    labels: IntArray | None = None  # (N,) 0 normal, 1 anomaly, -1 unlabelled

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.array.shape[1:]

    def batches(self, size: int) -> Iterator[FloatArray]:
        """Yield all rows once, in order, in batches of `size`."""
        return (self.array[i : i + size] for i in range(0, len(self.array), size))


@dataclasses.dataclass(frozen=True)
class StreamRows:
    """Prepared training rows of a stream, which is read again for every pass."""

    read: Callable[[], Iterator[FloatArray]]  # float32 batches of any size
    n_rows: int
    shape: tuple[int, ...]  # of one row

    def batches(self, size: int) -> Iterator[FloatArray]:
        """Yield all rows once, in order, in the stream's batches; larger ones are split."""
        return (batch[i : i + size] for batch in self.read() for i in range(0, len(batch), size))


class Plan(NamedTuple):
    """How an epoch is divided into batches and blocks."""

    batch: int  # rows of every batch
    steps: int  # batches of an epoch
    steps_per_block: int
    passes: int  # over the rows, in one epoch

    @property
    def places(self) -> int:
        """Batches in a block including padding, which adds up to a quarter.

        The padding makes blocks of fits with similar numbers of rows equal in shape, so that these
        fits share a program.
        """
        grain = 2 ** max(0, self.steps_per_block.bit_length() - 3)
        return math.ceil(self.steps_per_block / grain) * grain


def plan(n_rows: int, batch_size: int, steps_per_block: int, steps: int | None = None) -> Plan:
    """Divide an epoch into full batches and equal blocks.

    An epoch is one pass over the rows, or `steps` batches, which can be part of a pass or several
    passes. If the batch size does not divide the number of rows, the last batch is filled up with
    other rows of the same epoch. So no batch is too small for a covariance.
    """
    batch = min(batch_size, n_rows)
    passes = 1 if steps is None else math.ceil(steps * batch / n_rows)
    steps = math.ceil(n_rows / batch) if steps is None else steps
    n_blocks = math.ceil(steps / steps_per_block)
    return Plan(batch, steps, math.ceil(steps / n_blocks), passes)


class Source:
    """Passes exceptions of a user's stream through tf.data.

    tf.data turns exceptions into text: the user's `OSError` would become TensorFlow's
    `UnknownError`, which the user's `except` clauses do not catch.
    """

    def __init__(self) -> None:
        self._error: BaseException | None = None

    def watch(self, read: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """Iterate over `read()`; keep the exception if it raises one."""
        try:
            yield from read()
        except GeneratorExit:  # tf.data needs no more
            raise
        except BaseException as error:
            self._error = error
            raise

    def run(self, consume: Callable[[], Result]) -> Result:
        """Call `consume`, which reads the stream through tf.data, and return its result.

        Raises
        ------
        BaseException
            The exception that the stream raised: the same object, with its traceback and cause.
        """
        try:
            return consume()
        except tf.errors.OpError:
            if self._error is None:
                raise
        # Raise outside of the `except` clause, so that TensorFlow's error is not its context.
        raise self._error


@dataclasses.dataclass(frozen=True)
class Blocks:
    """A repeating data set of blocks, its plan, and the source of its rows."""

    dataset: tf.data.Dataset
    plan: Plan
    source: Source = dataclasses.field(default_factory=Source)
    ahead: int = 1  # blocks that may be read before they are needed


def array_blocks(
    rows: ArrayRows,
    cut: Plan,
    seed: int | None,
    shuffle: bool = True,
    first_epoch: int = 0,
    chosen: Callable[[], IntArray] | None = None,
) -> Blocks:
    """Make blocks of an array's rows, from `first_epoch` on, with a new permutation for every pass.

    `chosen` is called at the start of every epoch and returns row indices. Then the epoch has only
    these rows, repeated as often as needed to fill it.
    """

    def generate() -> Iterator[tuple[Array, int]]:
        rng = np.random.default_rng(seed)
        # Replay the permutations of skipped epochs. The generator cannot simply be advanced: how
        # much a permutation consumes depends on the numbers drawn.
        for _ in range(first_epoch * cut.passes if shuffle else 0):
            rng.permutation(rows.n_rows)
        while True:
            orders = [
                rng.permutation(rows.n_rows) if shuffle else np.arange(rows.n_rows)
                for _ in range(cut.passes)
            ]
            if chosen is not None:
                wanted = np.zeros(rows.n_rows, dtype=bool)
                wanted[chosen()] = True
                orders = [order[wanted[order]] for order in orders]
            epoch = np.resize(np.concatenate(orders).astype(np.int32), (cut.steps, cut.batch))
            for start in range(0, cut.steps, cut.steps_per_block):
                yield _padded(epoch[start : start + cut.steps_per_block], cut.places)

    # Gather rows here, in the background, because XLA would copy them number by number.
    with tf.device("CPU"):
        array = tf.constant(rows.array)
        labels = None if rows.labels is None else tf.constant(rows.labels, "int32")
    indices = _blocks(generate, (cut.places, cut.batch), "int32")

    @tf.autograph.experimental.do_not_convert  # not needed, and it warns under Python 3.13
    def gather(block: Tensor, n_steps: Tensor) -> tuple[Any, Tensor]:
        gathered = tf.gather(array, block)
        return gathered if labels is None else (gathered, tf.gather(labels, block)), n_steps

    gathered = indices.map(gather)
    if chosen is not None:
        # Do not read ahead: the rows of the next epoch are not known before it begins.
        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.inject_prefetch = False
        gathered = gathered.with_options(options)
    return Blocks(gathered, cut, ahead=0 if chosen is not None else 1)


def stream_blocks(rows: StreamRows, cut: Plan, seed: int | None, first_epoch: int = 0) -> Blocks:
    """Make blocks of a stream's rows, shuffled through a buffer, repeated without end.

    Rows of epochs before `first_epoch` are read and dropped, so that the shuffle buffer is in the
    same state as in an uninterrupted fit.
    """
    source = Source()
    batches = (
        tf.data.Dataset.from_generator(
            lambda: source.watch(rows.read),
            output_signature=tf.TensorSpec((None, *rows.shape), "float32"),
        )
        .unbatch()
        .shuffle(min(rows.n_rows, _buffer_rows(rows.shape)), seed=seed)
        .repeat()
        .batch(cut.batch, drop_remainder=True)
        .skip(first_epoch * cut.steps)
    )

    def generate() -> Iterator[tuple[Array, int]]:
        shuffled = batches.as_numpy_iterator()
        while True:
            for start in range(0, cut.steps, cut.steps_per_block):
                size = min(cut.steps_per_block, cut.steps - start)
                block = np.stack([next(shuffled) for _ in range(size)])
                yield _padded(block, cut.places)

    shape = (cut.places, cut.batch, *rows.shape)
    return Blocks(_blocks(generate, shape, "float32"), cut, source)


def steps_that_fit(rows: ArrayRows | StreamRows, batch_size: int) -> int:
    """Number of steps whose rows fit into a block of moderate size."""
    return max(1, _BLOCK_BYTES // (4 * math.prod(rows.shape) * min(batch_size, rows.n_rows)))


def _buffer_rows(shape: tuple[int, ...]) -> int:
    return how_many_fit(shape, SHUFFLE_BUFFER_ROWS, _SHUFFLE_BUFFER_BYTES)


def _padded(batches: Array, size: int) -> tuple[Array, int]:
    """Pad to a block of `size` batches. Return it and the number of batches to use."""
    return np.resize(batches, (size, *batches.shape[1:])), len(batches)


def _blocks(
    generate: Callable[[], Iterator[tuple[Array, int]]], shape: tuple[int, ...], dtype: str
) -> tf.data.Dataset:
    signature = (tf.TensorSpec(shape, dtype), tf.TensorSpec((), "int32"))
    return tf.data.Dataset.from_generator(generate, output_signature=signature)
