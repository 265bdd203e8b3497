"""Class labels of any type, and the classes that they name."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.listing import first_few
from aegmm_detect.types import IntArray


def as_labels(y: Any) -> list[Hashable]:
    """Labels (N,) as Python's own values.

    Raises
    ------
    InvalidInputError
        Not one label per row, or labels that are missing.
    """
    # A list keeps its values as they are: NumPy would make text of [1, "a"], and rows of tuples.
    given = list(y) if isinstance(y, list | tuple) else np.asarray(y)
    if isinstance(given, list):
        labels = [value.item() if isinstance(value, np.generic) else value for value in given]
        nested = [value for value in labels if not isinstance(value, Hashable)]
    else:
        # Moments in time would come out as whole numbers.
        labels = list(given) if given.dtype.kind in "mM" else given.tolist()
        nested = labels if given.ndim != 1 else []
    if nested:
        raise InvalidInputError(
            f"y holds {type(nested[0]).__name__}: pass one class label per row, shape (N,)."
            if isinstance(given, list)
            else f"y has shape {given.shape}: pass one class label per row, shape (N,)."
        )
    missing = [row for row, label in enumerate(labels) if _is_missing(label)]
    if missing:
        raise InvalidInputError(
            f"y lacks a label in {len(missing)} of {len(labels)} rows (first: {missing[0]}). Leave "
            "these rows out of fit; score them without y."
        )
    return labels


def classes_of(labels: Sequence[Hashable]) -> tuple[Hashable, ...]:
    """The different labels in order, which does not depend on that of the rows."""
    different: set[Any] = set(labels)
    try:
        return tuple(sorted(different))
    except TypeError:  # of several types
        return tuple(sorted(different, key=lambda label: (type(label).__name__, str(label))))


def class_numbers(labels: Sequence[Hashable], classes: Sequence[Hashable]) -> IntArray:
    """For each label its place among `classes`, (N,).

    Raises
    ------
    InvalidInputError
        Names labels that are not among them.
    """
    place = {label: number for number, label in enumerate(classes)}
    unknown = [label for label in classes_of(labels) if label not in place]
    if unknown:
        raise InvalidInputError(
            f"y holds {listed(unknown)}, of which fit has seen no rows: its classes are "
            f"{listed(classes)}. Score such rows without y, or fit again with them."
        )
    return np.array([place[label] for label in labels], dtype=np.int64)


def listed(labels: Sequence[Hashable]) -> str:
    """The first few labels, for messages."""
    return first_few(labels, repr)


def _is_missing(label: Any) -> bool:
    # Not a number is the one value that is not itself; pandas has a type for its own.
    return label is None or type(label).__name__ in ("NAType", "NaTType") or label != label
