"""Are these rows held out, or has `fit` seen them?"""

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.input_checks import non_finite_rows
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.types import Array, BoolArray

logger = logging.getLogger(__name__)

# Comparable rows from which "all of them were seen" is not an accident of a sample.
_ENOUGH = 20


def chosen_rows(batches: Iterable[Array], chosen: BoolArray) -> Iterator[Array]:
    """Of all rows, one after the other, those that are `chosen` (N,)."""
    first = 0
    for batch in batches:
        yield batch[chosen[first : first + len(batch)]]
        first += len(batch)


def check_held_out(
    batches: Iterable[Array], trained_on: RowSketch, consequence: str, *, refuse_all: bool
) -> None:
    """Warn of rows that `fit` has seen, or refuse them.

    Some may be equal by chance, or because rows repeat, as in logs of connections; all are not.

    Parameters
    ----------
    batches
        Of rows (N, ...). Those that are not finite do not count: no fit takes them.
    trained_on
        Rows that `fit` has seen.
    consequence
        What comes of such rows, for the message.
    refuse_all
        Whether to refuse if all rows that can be compared were seen, and they are all there are or
        at least 20.

    Raises
    ------
    InvalidInputError
        They are refused.
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
