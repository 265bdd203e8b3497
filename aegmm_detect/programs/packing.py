"""Pack many arrays into few arguments: each argument of a program costs about 5 microseconds.

All small arrays of one dtype are passed as one vector, which the program splits again. Large
arrays are separate arguments, because copying them would cost more.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from aegmm_detect.types import Tensor

# An array with at least this many numbers is a separate argument; copying it takes 20 microseconds.
_LARGE = 2**16


class Leaf(NamedTuple):
    """One array: its dtype and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class Layout:
    """How arrays of given dtypes and shapes are packed into arguments.

    Parameters
    ----------
    leaves
        Dtype and shape of each array, in order.
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
        """TensorFlow specs of the arguments."""
        leaves = self.leaves
        packed = [
            tf.TensorSpec((sum(leaves[n].size for n in group),), leaves[group[0]].dtype)
            for group in self._groups
        ]
        return [*packed, *(tf.TensorSpec(leaves[n].shape, leaves[n].dtype) for n in self._alone)]

    def pack(self, values: Sequence[Any]) -> list[Tensor]:
        """Pack copies of the values into arguments, which later changes do not affect."""
        packed = [
            tf.constant(np.concatenate([np.asarray(values[n]).reshape(-1) for n in group]))
            for group in self._groups
        ]
        return [*packed, *(tf.identity(tf.convert_to_tensor(values[n])) for n in self._alone)]

    def unpack(self, arguments: Sequence[Tensor]) -> list[Tensor]:
        """Split arguments into arrays again, inside a program: the inverse of `pack`."""
        values: list[Any] = [None] * len(self.leaves)
        for group, vector in zip(self._groups, arguments, strict=False):
            sizes = [self.leaves[n].size for n in group]
            for n, part in zip(group, tf.split(vector, sizes), strict=True):
                values[n] = tf.reshape(part, self.leaves[n].shape)
        for n, value in zip(self._alone, arguments[len(self._groups) :], strict=True):
            values[n] = value
        return values
