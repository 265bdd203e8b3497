"""Compile pure functions of a net, arrays and data for all nets with the same structure."""

import functools
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from aegmm_detect.processes import check_process
from aegmm_detect.programs.cache import PROGRAMS, Programs
from aegmm_detect.programs.packing import Layout, Leaf
from aegmm_detect.programs.structure import structure_of
from aegmm_detect.programs.tracing import Mode, called_flat, concrete, device_of, first_call
from aegmm_detect.types import Array, Tensor

# Programs of nets that share none. They are deleted with their net.
_OWN: "weakref.WeakKeyDictionary[keras.Model, Programs]" = weakref.WeakKeyDictionary()


class PureFunction(NamedTuple):
    """A function to compile, and its key.

    Parameters
    ----------
    apply
        Function of the net, a tree of arrays and any number of tensors. It must not depend on
        anything else that could change.
    key
        Functions with equal keys must compute the same.
    """

    apply: Callable[..., Any]
    key: Hashable


class NetProgram:
    """A compiled pure function with the weights of one net.

    All nets with the same structure share the compiled program.

    Parameters
    ----------
    net
        Net whose weights are used. They are copied now; later changes have no effect.
    function
        Function to compute.
    arrays
        A tree (tuples, named or not, and lists) of arrays or None. They are copied now, too.
    mode
        How to run it. If XLA has no kernel for it, it runs as a plain graph.
    """

    def __init__(
        self, net: keras.Model, function: PureFunction, arrays: Any = None, mode: Mode = "graph"
    ) -> None:
        self._net, self._function, self._tree = net, function, arrays
        self._mode: Mode = mode
        self._device = device_of(net)
        leaves = [leaf for leaf in tf.nest.flatten(arrays) if leaf is not None]
        values = [*(np.asarray(v) for v in net.variables), *map(np.asarray, leaves)]
        self._layout = Layout(Leaf(value.dtype.name, value.shape) for value in values)
        with tf.device(self._device):
            self._arguments = self._layout.pack(values)
        structure = structure_of(net)
        self._programs = own_programs(net) if structure is None else PROGRAMS
        # Programs also differ by which arrays are None.
        form = repr(tf.nest.map_structure(lambda leaf: leaf is None, arrays))
        self._key = (function.key, structure, form, self._layout.leaves, self._device)
        self._known: dict[Hashable, Callable[..., Any]] = {}

    def __call__(self, *data: Array, exact: bool = False) -> Any:
        """Compute the function of `data`.

        Parameters
        ----------
        data
            Arrays.
        exact
            Whether to compile for exactly this number of rows. By default one program serves all
            numbers of rows.
        """
        check_process()
        with tf.device(self._device):
            tensors = [tf.constant(part) for part in data]
            if self._mode == "eager":
                return self._traced(*tensors, *self._arguments)
            shapes = tuple((d.shape if exact else d.shape[1:], d.dtype.char) for d in data)
            program = self._known.get(shapes)
            if program is None:
                program = self._known[shapes] = self._find(shapes, exact, tensors)
            return program(*tensors, *self._arguments)

    def is_current(self) -> bool:
        """Whether the net's weights are still equal to the copies made at construction."""
        taken = self._layout.unpack(self._arguments)
        now = self._net.variables
        return all(
            np.array_equal(np.asarray(old), np.asarray(new), equal_nan=True)
            for old, new in zip(taken, now, strict=False)
        )

    def _find(self, shapes: Hashable, exact: bool, tensors: Sequence[Tensor]) -> Any:
        make = functools.partial(self._make, tensors, exact)
        program, mode = self._programs.get((self._key, self._mode, shapes, exact), make)
        if mode != self._mode:
            # Use one mode for all shapes, so that results agree to the last bit.
            self._mode = mode
            self._known.clear()
        return program

    def _make(self, tensors: Sequence[Tensor], exact: bool) -> tuple[Any, Mode]:
        specs = [
            tf.TensorSpec(t.shape if exact else (None, *t.shape[1:]), t.dtype) for t in tensors
        ]

        def trace(mode: Mode) -> Any:
            function = tf.function(self._traced, autograph=False, jit_compile=mode == "xla")
            return called_flat(concrete(function, *specs, *self._layout.specs))

        _, program, mode = first_call(trace, self._mode, *tensors, *self._arguments)
        return program, mode

    def _traced(self, *tensors: Tensor) -> Any:
        """Compute results from data and arguments; the net's variables get values from these."""
        n_data = len(tensors) - len(self._layout.specs)
        values = self._layout.unpack(tensors[n_data:])
        variables = self._net.variables
        left = iter(values[len(variables) :])
        arrays = tf.nest.map_structure(
            lambda leaf: None if leaf is None else next(left), self._tree
        )
        with keras.StatelessScope(state_mapping=[*zip(variables, values, strict=False)]):
            return self._function.apply(self._net, arrays, *tensors[:n_data])


def own_programs(net: keras.Model) -> Programs:
    """Programs of a net that shares none with other nets."""
    return _OWN.setdefault(net, Programs())


def forget_programs(net: keras.Model) -> None:
    """Delete the net's own programs. Call this before training: they may hold its old weights."""
    _OWN.pop(net, None)
