"""Programs of training, which own a net and an optimizer that stand in for those of a fit.

A compiled program changes variables of its own, so one program serves any net of a structure only
by way of a stand-in: weights are copied there, trained, and copied back.
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

# Each holds the weights of a net and of its optimizer.
_LENDING = Lending(16)


class Steps:
    """Blocks of steps of one fit, compiled.

    Parameters
    ----------
    net, optimizer
        To be trained in place; the optimizer is built.
    objective, metric
        See `Block`.
    mode
        'xla', 'graph' or 'eager': how a step is run, not what it does.
    n_steps
        Of the whole training.
    watched
        Whether somebody may read or change variables between blocks, as callbacks do.
    decays_from
        Learning rate at the start, if it falls over the whole training.
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
        self._current = False  # whether the stand-in has the variables of the fit

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the log."""
        return self._own.block.columns

    def run(self, phase: str, block: Sequence[Any]) -> Any:
        """Sums of the columns, steps taken, all finite: a block of 'training' or 'validation'."""
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
                self._current = False  # nothing was changed, but may be before the next block
        return result

    def settle(self) -> None:
        """Give the net and the optimizer of the fit what the stand-in has learned."""
        if self._key is not None and self._current:
            _copy(self._stand_ins, self._variables(*self._real))
            self._current = not self._watched

    def close(self) -> None:
        """The fit has ended, well or not: its stand-in is free for the next."""
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
    """A block's programs, by phase and shapes."""

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
    # Traced here and once, as all blocks have the same shapes: TensorFlow counts traces of one line
    # of code, and would warn users who fit several detectors.
    function = tf.function(step, autograph=False, jit_compile=mode == "xla")
    return concrete(function, *arguments)


def _key(
    net: keras.Model,
    optimizer: Optimizers,
    objective: Objective,
    layout: Layout,
    more: Hashable,
) -> Hashable | None:
    """What fits have in common that can use the same program; None where that is not known."""
    structure = structure_of(net)
    kind = type(first_of(optimizer))
    if structure is None or objective.key is None or not kind.__module__.startswith("keras."):
        return None
    config = {
        name: value
        for name, value in optimizer.get_config().items()
        # A rate that is a number is a variable of the optimizer.
        if name != "name" and not (name == "learning_rate" and isinstance(value, float))
    }
    # Of the process's own precision, whatever that of the net.
    dtypes = tuple(str(variable.dtype) for variable in optimizer.variables)
    # The name of the function, too: two authors may have thought of one word as a key.
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
    with python_random(0):  # from which Keras draws seeds of layers that have none
        other = clone(net)
    own = another(optimizer)
    objective.update.build(other, own)
    return _Compiled(Block(other, own, objective, layout, decays=decays), mode)


def _copy(source: Iterable[Any], target: Iterable[Any]) -> None:
    # By the bare operations: Keras's own ways look at every value from all sides.
    for one, other in zip(source, target, strict=True):
        dtype = one.value.dtype
        value = tf.raw_ops.ReadVariableOp(resource=one.value.handle, dtype=dtype)
        tf.raw_ops.AssignVariableOp(resource=other.value.handle, value=value)
