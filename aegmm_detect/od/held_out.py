"""Are these rows held out, or has `fit` seen them?"""

import logging
from collections.abc import Iterator

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.input_checks import non_finite_rows
from aegmm_detect.numerics.row_sketch import RowSketch
from aegmm_detect.types import Array

logger = logging.getLogger(__name__)

# Comparable rows from which "all of them were seen" is no accident of a sample.
_ENOUGH = 20


def require_held_out(batches: Iterator[Array], trained_on: RowSketch) -> None:
    """Refuse rows that were all trained on; warn of some.

    Some may be equal by chance, or because rows repeat, as in logs of connections; all are not.

    Parameters
    ----------
    batches
        Of rows (N, ...). Those that are not finite do not count: no fit takes them.
    trained_on
        Rows that `fit` has seen.

    Raises
    ------
    InvalidInputError
        All rows that can be compared were seen, and they are all there are or at least 20.
    """
    n_rows = n_compared = n_seen = 0
    for batch in batches:
        finite = np.delete(batch, non_finite_rows(batch), axis=0)
        overlap = trained_on.overlap(finite)
        n_rows += len(finite)
        n_compared += overlap.compared
        n_seen += overlap.seen
    if not n_seen:
        return
    compared = f"{n_compared} rows" if n_compared == n_rows else f"{n_compared} rows compared"
    if n_seen == n_compared >= min(n_rows, _ENOUGH):
        raise InvalidInputError(
            f"All {compared} of X were trained on. Such rows score lower than new ones, and "
            "p-values would be too small: hold some inliers back from fit and calibrate on them. "
            "If your rows repeat by nature, pass check_held_out=False."
        )
    logger.warning(
        "%d of %s of X equal rows that were trained on. Such rows score lower than new ones, and "
        "p-values come out too small: calibrate on inliers that fit has not seen. If your rows "
        "repeat by nature, pass check_held_out=False.",
        n_seen,
        compared,
    )
