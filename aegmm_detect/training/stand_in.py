"""Compiled training steps.

Each owns a copy of the net and the optimizer, because a tf.function is tied to its variables. So
that nets with the same structure can share a program, their weights are copied into these copies
("stand-ins"), trained there, and copied back.
"""

import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from aegmm_detect.nets.copies import clone
from aegmm_detect.programs.cache import Programs
from aegmm_detect.programs.lending import Lending
from aegmm_detect.programs.packing import Layout, Leaf
from aegmm_detect.programs.structure import structure_of
from aegmm_detect.programs.tracing import Mode, concrete, device_of, first_call
from aegmm_detect.training.block import Block
from aegmm_detect.training.objective import Objective
from aegmm_detect.training.optimizers import OptimizerGroup, Optimizers, another, first_of
from aegmm_detect.training.seeding import python_random
from aegmm_detect.types import Tensor

# Unused stand-ins. The limit is low, because each holds the weights of a net and its optimizer.
_LENDING = Lending(16)


class Steps:
    """The compiled training and validation steps of one fit.

    Parameters
    ----------
    net, optimizer
        The net to train in place, and its optimizer, already built.
    objective, metric
        See `Block`.
    mode
        How steps run: 'xla', 'graph' or 'eager'. They compute the same.
    n_steps
        Number of steps of the whole training.
    watched
        Whether other code, such as a callback, may read or change variables between blocks.
    decays_from
        Initial learning rate, if it decays over the whole training; else None.
    """

    def __init__(
        self,
        net: keras.Model,
        optimizer: Optimizers,
        objective: Objective,
        metric: keras.metrics.Metric | None,
        mode: Mode,
        n_steps: int,
        watched: bool,
        decays_from: float | None = None,
    ) -> None:
        self._real = (net, optimizer)
        self._watched = watched
        self._device = device_of(net)
        leaves = [np.asarray(leaf) for leaf in tf.nest.flatten(objective.arrays)]
        layout = Layout(Leaf(leaf.dtype.name, leaf.shape) for leaf in leaves)
        with tf.device(self._device):
            numbers = (float(n_steps), 0.0 if decays_from is None else decays_from)
            self._arguments = [*map(tf.constant, numbers), *layout.pack(leaves)]
        decays = decays_from is not None
        self._key = None
        if mode != "eager" and metric is None:
            self._key = _key(net, optimizer, objective, layout, (self._device, decays))
        if self._key is None:
            block = Block(net, optimizer, objective, layout, metric, decays)
            self._own = _Compiled(block, mode)
        else:
            make = functools.partial(_stand_in, net, optimizer, objective, layout, mode, decays)
            self._own = _LENDING.borrow((self._key, mode), make)
            self._mode = mode
        self._current = False  # whether the stand-in has the values of the fit's variables

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the log."""
        return self._own.block.columns

    def run(self, phase: str, block: Sequence[Any]) -> Any:
        """Run a block in phase 'training' or 'validation'; see `Block.train` for the result."""
        if isinstance(self._real[1], OptimizerGroup):
            self._real[1].share_rate()
        with tf.device(self._device):
            if self._key is not None and not self._current:
                _copy(self._variables(*self._real), self._stand_ins)
                self._current = True
            result = self._own.run(phase, block, self._arguments)
            if self._watched and phase == "training":
                self.settle()
            elif self._watched:
                self._current = False  # other code may change variables before the next block
        return result

    def settle(self) -> None:
        """Copy the stand-in's variables back to the net and the optimizer of the fit."""
        if self._key is not None and self._current:
            _copy(self._stand_ins, self._variables(*self._real))
            self._current = not self._watched

    def close(self) -> None:
        """Copy the variables back and free the stand-in. Call this also after a failed fit."""
        if self._key is not None:
            self.settle()
            _LENDING.give_back((self._key, self._mode), self._own)
            self._key = None

    @property
    def _stand_ins(self) -> list[Any]:
        block = self._own.block
        return self._variables(block.net, block.optimizer)

    @staticmethod
    def _variables(net: keras.Model, optimizer: Optimizers) -> list[Any]:
        return [*net.variables, *optimizer.variables]


class _Compiled:
    """The compiled programs of a `Block`, by phase and shapes."""

    def __init__(self, block: Block, mode: Mode) -> None:
        self.block = block
        self._mode: Mode = mode
        self._programs = Programs(8)

    def run(self, phase: str, block: Sequence[Any], arguments: Sequence[Tensor]) -> Any:
        step = self.block.train if phase == "training" else self.block.test
        if self._mode == "eager":
            return step(*block, *arguments)
        shapes = tuple((tuple(t.shape), t.dtype) for t in tf.nest.flatten(block))
        results: list[Any] = []

        def make() -> Callable[..., Any]:
            trace = functools.partial(_trace, step, (*block, *arguments))
            result, program, self._mode = first_call(trace, self._mode, *block, *arguments)
            results.append(result)
            return program

        program = self._programs.get((phase, shapes), make)
        return results[0] if results else program(*block, *arguments)


def _trace(step: Callable[..., Any], arguments: Sequence[Any], mode: Mode) -> Callable[..., Any]:
    # All blocks have the same shapes, so one explicit trace is enough. If tf.function traced on its
    # own, TensorFlow would count traces of this line and warn users who fit several detectors.
    function = tf.function(step, autograph=False, jit_compile=mode == "xla")
    return concrete(function, *arguments)


def _key(
    net: keras.Model,
    optimizer: Optimizers,
    objective: Objective,
    layout: Layout,
    more: Hashable,
) -> Hashable | None:
    """Key of the program that a fit needs. Fits with equal keys share it; None: share nothing."""
    structure = structure_of(net)
    kind = type(first_of(optimizer))
    if structure is None or objective.key is None or not kind.__module__.startswith("keras."):
        return None
    config = {
        name: value
        for name, value in optimizer.get_config().items()
        # A learning rate that is a number is a variable of the optimizer, so it may differ.
        if name != "name" and not (name == "learning_rate" and isinstance(value, float))
    }
    # The optimizer's dtypes follow Keras's global setting, not the net's dtype.
    dtypes = tuple(str(variable.dtype) for variable in optimizer.variables)
    # Include the function's name, in case two authors chose the same word as a key.
    values = getattr(objective.values, "__qualname__", type(objective.values).__qualname__)
    named = (objective.values.__module__, values)
    own = (objective.key, named, objective.columns, objective.update, dtypes)
    return structure, kind, repr(config), own, layout.leaves, more


def _stand_in(
    net: keras.Model,
    optimizer: Optimizers,
    objective: Objective,
    layout: Layout,
    mode: Mode,
    decays: bool,
) -> _Compiled:
    with python_random(0):  # Keras draws missing seeds of layers from Python's `random`
        other = clone(net)
    own = another(optimizer)
    objective.update.build(other, own)
    return _Compiled(Block(other, own, objective, layout, decays=decays), mode)


def _copy(source: Iterable[Any], target: Iterable[Any]) -> None:
    # Use raw operations: `assign` of Keras checks every value, which takes longer.
    for one, other in zip(source, target, strict=True):
        dtype = one.value.dtype
        value = tf.raw_ops.ReadVariableOp(resource=one.value.handle, dtype=dtype)
        tf.raw_ops.AssignVariableOp(resource=other.value.handle, value=value)
