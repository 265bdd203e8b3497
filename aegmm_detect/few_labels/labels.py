"""Labels of rows, as a classifier takes them."""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.types import Array


def checked_labels(y: Any, n_rows: int) -> Array:
    """Class of each of `n_rows` rows, as an array (N,).

    Raises
    ------
    InvalidInputError
        There is not one label per row; a label is missing or a fraction; or labels are of several
        types.
    """
    labels = np.asarray(y)
    if labels.shape != (n_rows,):
        raise InvalidInputError(
            f"y has shape {labels.shape}, and X has {n_rows} rows: one label per row, shape "
            f"({n_rows},), is needed."
        )
    if labels.dtype.kind == "f" and not np.equal(labels, np.trunc(np.nan_to_num(labels))).all():
        raise InvalidInputError(
            "y holds NaN, infinity or fractions: pass classes, and only the rows that have a label."
        )
    if labels.dtype.kind == "O":
        kinds = {type(label).__name__ for label in labels}
        # NaN is the one value that is not itself.
        if len(kinds) > 1 or any(label is None or label != label for label in labels):
            raise InvalidInputError(
                f"y holds {', '.join(sorted(kinds))}: pass classes of one type, and only the rows "
                "that have a label."
            )
    return labels


def accuracy(found: Array, y: Any) -> float:
    """Share of the rows whose class was found.

    Parameters
    ----------
    found
        Predicted classes, (N,).
    y
        The true ones.

    Raises
    ------
    InvalidInputError
        There is not one label per row, of the type that `found` has, or there are no rows.
    """
    labels = checked_labels(y, len(found))
    if not len(found):
        raise InvalidInputError("X holds no rows: pass those of which to measure the accuracy.")
    if _are_numbers(labels) != _are_numbers(found):
        raise InvalidInputError(
            f"y holds {labels.dtype} labels, and those that fit saw are {found.dtype}: pass "
            "labels of that type."
        )
    return float(accuracy_score(labels, found))


def _are_numbers(labels: Array) -> bool:
    """Whether labels are numbers or booleans, and not text or objects."""
    return labels.dtype.kind in "biuf"
