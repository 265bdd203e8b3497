"""Check whether `fit` has seen rows that should be held out."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.input_checks import non_finite_rows
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.types import Array, BoolArray

logger = logging.getLogger(__name__)

# With at least this many rows compared, "all of them were seen" is not by chance.
_ENOUGH = 20


def chosen_rows(batches: Iterable[Array], chosen: BoolArray) -> Iterator[Array]:
    """Yield only the `chosen` rows of each batch; `chosen` (N,) covers all batches in order."""
    first = 0
    for batch in batches:
        yield batch[chosen[first : first + len(batch)]]
        first += len(batch)


def check_held_out(
    batches: Iterable[Array], trained_on: RowSketch, consequence: str, *, refuse_all: bool
) -> None:
    """Warn about rows that `fit` has seen, or raise.

    Some rows may be equal by chance, or because rows repeat, as in logs of connections. If all are
    equal, `fit` has almost certainly seen them.

    Parameters
    ----------
    batches
        Batches of rows (N, ...). Rows that are not finite are ignored, because no fit uses them.
    trained_on
        Sketch of the training rows.
    consequence
        What such rows lead to, for the message.
    refuse_all
        Whether to raise if all rows that can be compared were seen, and these are all rows of `X`
        or at least 20.

    Raises
    ------
    InvalidInputError
        `refuse_all` is True and its condition holds.
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
    share = f"{n_seen} of {n_compared} rows{' compared' if n_compared < n_rows else ''} of X"
    if refuse_all and n_seen == n_compared >= min(n_rows, _ENOUGH):
        raise InvalidInputError(
            f"{share} were trained on. Such rows score lower than new ones, and {consequence}: "
            "hold some inliers back from fit and pass them here. If your rows repeat by nature, "
            "pass check_trained=False."
        )
    logger.warning(
        "%s equal rows that were trained on. Such rows score lower than new ones, and %s: pass "
        "inliers that fit has not seen, or check_trained=False if your rows repeat by nature.",
        share,
        consequence,
    )
