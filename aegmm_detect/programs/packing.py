"""Many arrays as few arguments: what a program is given costs some 5 microseconds for each.

Small arrays of one dtype travel as one vector, and are cut out of it again inside the program.
Large ones, of which a copy would cost more, are arguments of their own.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from aegmm_detect.types import Tensor

# Numbers from which an array is an argument of its own: a copy of them takes 20 microseconds.
_LARGE = 2**16


class Leaf(NamedTuple):
    """One array: its dtype and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


class Layout:
    """How arrays of given shapes travel; equal for equal shapes.

    Parameters
    ----------
    leaves
        Of the arrays, in order.
    """

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        self.leaves = tuple(leaves)
        small = [number for number, leaf in enumerate(self.leaves) if leaf.size < _LARGE]
        by_dtype = sorted(small, key=lambda number: self.leaves[number].dtype)
        self._groups = [
            tuple(group)
            for _, group in itertools.groupby(by_dtype, lambda number: self.leaves[number].dtype)
        ]
        self._alone = [number for number in range(len(self.leaves)) if number not in {*small}]

    @property
    def specs(self) -> list[tf.TensorSpec]:
        """Of the arguments."""
        leaves = self.leaves
        packed = [
            tf.TensorSpec((sum(leaves[n].size for n in group),), leaves[group[0]].dtype)
            for group in self._groups
        ]
        return [*packed, *(tf.TensorSpec(leaves[n].shape, leaves[n].dtype) for n in self._alone)]

    def pack(self, values: Sequence[Any]) -> list[Tensor]:
        """Arguments, which do not change when the values do."""
        packed = [
            tf.constant(np.concatenate([np.asarray(values[n]).reshape(-1) for n in group]))
            for group in self._groups
        ]
        return [*packed, *(tf.identity(tf.convert_to_tensor(values[n])) for n in self._alone)]

    def unpack(self, arguments: Sequence[Tensor]) -> list[Tensor]:
        """Inverse of `pack`, inside a program."""
        values: list[Any] = [None] * len(self.leaves)
        for group, vector in zip(self._groups, arguments, strict=False):
            sizes = [self.leaves[n].size for n in group]
            for n, part in zip(group, tf.split(vector, sizes), strict=True):
                values[n] = tf.reshape(part, self.leaves[n].shape)
        for n, value in zip(self._alone, arguments[len(self._groups) :], strict=True):
            values[n] = value
        return values
