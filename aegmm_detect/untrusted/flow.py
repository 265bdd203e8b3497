"""What values in a foreign graph depend on: sizes on the number of rows, never on their numbers.

A trial run shows what a graph takes for some rows. It says something about all others only if no
size within the graph follows from the numbers in the rows, and if nothing divides whole numbers by
what may be zero, which ends the process.
"""

import enum
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.types import Array

# Elements that a size within the file may ask for. What is made of the number of rows, the limit on
# memory in the trial run holds.
_LARGEST = 2**26


def words(text: str) -> frozenset[str]:
    """Names in a long list, for those that read it."""
    return frozenset(text.split())


class Step(NamedTuple):
    """One operation: names of what it takes, '' for what it does without, and of what it makes.

    `dtype` is the type of the result, where the step itself says it.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dtype: np.dtype[Any] | None


class Rules(NamedTuple):
    """What operations of a format do."""

    sizes: Mapping[str, tuple[int, ...]]  # places of inputs that say sizes or positions
    making: Mapping[str, tuple[int, ...]]  # of those, which can make the result larger
    shapes: frozenset[str]  # their result is the shape of the input
    like: Mapping[str, int]  # input whose type the result has, where it is not the first
    integers: frozenset[str]  # their result is whole numbers
    second_integers: frozenset[str]  # the second result is
    dividing: frozenset[str]  # they divide
    on_shapes: frozenset[str]  # they may compute with the number of rows


class _From(enum.IntEnum):
    """What numbers depend on."""

    FILE = 0
    SHAPE = 1  # of the rows: how many there are
    ROWS = 2


class _Value(NamedTuple):
    source: _From
    is_integer: bool


def check_flow(
    steps: Sequence[Step], rows: Sequence[str], constants: Mapping[str, Array], rules: Rules
) -> None:
    """Refuse a graph whose sizes depend on the numbers in the rows, or which could divide by zero.

    Parameters
    ----------
    steps
        In the order in which they run.
    rows
        Names of the inputs.
    constants
        Numbers that stand in the file, by name.
    rules
        Of the format.

    Raises
    ------
    ArtefactError
        Says what is wrong.
    """
    known = {
        name: _Value(_From.FILE, value.dtype.kind in "iu") for name, value in constants.items()
    }
    known.update((name, _Value(_From.ROWS, False)) for name in rows)
    if len(known) != len(rows) + len(constants):
        raise ArtefactError("it has two inputs of one name")
    for step in steps:
        if missing := [name for name in step.inputs if name and name not in known]:
            raise ArtefactError(f"{step.op} takes {missing[0][:80]!r} before anything makes it")
        _check_sizes(step, known, constants, rules)
        _check_division(step, known, constants, rules)
        for i, name in enumerate(step.outputs):
            if name and name in known:
                raise ArtefactError(f"it makes {name[:80]!r} twice")
            if name:
                known[name] = _result(step, i, known, rules)
                # With comparisons a graph could be small for the numbers of rows that are tried.
                if known[name].source is _From.SHAPE and step.op not in rules.on_shapes:
                    raise ArtefactError(f"its {step.op} computes with the number of rows")


def _check_sizes(
    step: Step, known: Mapping[str, _Value], constants: Mapping[str, Array], rules: Rules
) -> None:
    for place in rules.sizes.get(step.op, ()):
        name = step.inputs[place] if place < len(step.inputs) else ""
        if name and known[name].source is _From.ROWS:
            raise ArtefactError(f"a size in its {step.op} depends on numbers in the rows")
    asked = [
        constants[step.inputs[place]]
        for place in rules.making.get(step.op, ())
        if place < len(step.inputs) and step.inputs[place] in constants
    ]
    # In Python's numbers, which do not overflow.
    numbers = [abs(float(number)) for array in asked for number in array.ravel()[:100]]
    if math.prod(max(number, 1.0) for number in numbers) > _LARGEST:
        raise ArtefactError(f"its {step.op} asks for more than {_LARGEST:,} numbers")


def _check_division(
    step: Step, known: Mapping[str, _Value], constants: Mapping[str, Array], rules: Rules
) -> None:
    if step.op not in rules.dividing:
        return
    if not any(known[name].is_integer for name in step.inputs if name):
        return
    by = constants.get(step.inputs[1]) if len(step.inputs) > 1 else None
    # The most negative number divided by -1 overflows, which ends the process, too.
    if by is None or not (by > 0).all():
        raise ArtefactError("it divides whole numbers by what may not be positive")


def _result(step: Step, place: int, known: Mapping[str, _Value], rules: Rules) -> _Value:
    if step.op in rules.shapes:
        return _Value(_From.SHAPE, True)
    sizes = () if step.op == "Range" else rules.making.get(step.op, ())
    taken = [known[name].source for i, name in enumerate(step.inputs) if name and i not in sizes]
    source = max(taken, default=_From.FILE)
    if step.dtype is not None:
        return _Value(source, step.dtype.kind in "iu")
    if step.op in rules.integers or (place == 1 and step.op in rules.second_integers):
        return _Value(source, True)
    like = rules.like.get(step.op, 0)
    name = step.inputs[like] if like < len(step.inputs) else ""
    return _Value(source, bool(name) and known[name].is_integer)
