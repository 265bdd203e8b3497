"""Rows of several classes side by side, so that nets of all of them train as one program."""

from collections.abc import Sequence

import numpy as np

from aegmm_detect.training.data import ArrayRows
from aegmm_detect.training.prepare import TrainingRows
from aegmm_detect.types import FloatArray, IntArray


def one_of_each(parts: Sequence[TrainingRows], seed: int | None) -> TrainingRows:
    """Rows (N, C, F) that hold one row of each of C classes.

    N is that of the largest class. Shorter ones begin again in another order, until they are as
    long: their rows come up more often, and about equally often.

    Parameters
    ----------
    parts
        Prepared rows (N_c, F) of each class, in memory.
    seed
        Of those orders.
    """
    train = [part.train for part in parts if isinstance(part.train, ArrayRows)]
    assert len(train) == len(parts)  # labels are for rows in memory
    validation = [part.validation for part in parts if part.validation is not None]
    return TrainingRows(
        train=_side_by_side(train, seed),
        validation=_side_by_side(validation, seed) if validation else None,
        normalizer=None,  # each class has its own
        shape=(len(parts), *parts[0].shape),
    )


def _side_by_side(rows: Sequence[ArrayRows], seed: int | None) -> ArrayRows:
    arrays = [own.array for own in rows]
    length = max(map(len, arrays))
    side_by_side: FloatArray = np.empty((length, len(arrays), *arrays[0].shape[1:]), np.float32)
    for number, array in enumerate(arrays):
        # By the same seed: which class comes first in order changes nothing.
        side_by_side[:, number] = array[_repeated(len(array), length, seed)]
    return ArrayRows(side_by_side)


def _repeated(n_rows: int, length: int, seed: int | None) -> IntArray:
    """`length` row numbers, every row as often as any other or once more."""
    rng = np.random.default_rng(seed)
    passes = [np.arange(n_rows)]
    passes += [rng.permutation(n_rows) for _ in range((length - 1) // n_rows)]
    return np.concatenate(passes)[:length]
