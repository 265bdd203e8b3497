"""Labels of rows, as a classifier takes them."""

from typing import Any

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.types import Array


def checked_labels(y: Any, n_rows: int) -> Array:
    """Class of each of `n_rows` rows, (N,).

    Raises
    ------
    InvalidInputError
        Not one label per row, labels that are missing, fractions or of several types.
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


def are_numbers(labels: Array) -> bool:
    """Whether labels are numbers or booleans, and not text or objects."""
    return labels.dtype.kind in "biuf"
