"""Update the mixtures of a detector with new rows."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from aegmm_detect.argument_checks import check_positive
from aegmm_detect.configs.rows import NanPolicy
from aegmm_detect.exceptions import (
    ConfigurationError,
    IndefiniteCovarianceError,
    InvalidInputError,
)
from aegmm_detect.input_checks import non_finite_rows
from aegmm_detect.inputs import Rows, as_rows
from aegmm_detect.od.online import with_rows
from aegmm_detect.scoring_loop import checked_batches, refuse_flagged
from aegmm_detect.training.estimate import rows_per_pass
from aegmm_detect.types import FloatArray

if TYPE_CHECKING:
    from aegmm_detect.od.mixture import MixtureDetector

logger = logging.getLogger(__name__)


def update_detector(detector: "MixtureDetector", X: Any, half_life: float | None) -> None:
    """Merge new inliers into the mixtures of `detector`; see `MixtureDetector.update`."""
    name = type(detector).__name__
    if not detector.FAMILY.mergeable:
        raise ConfigurationError(
            f"{name} cannot learn on from new rows: the absolute deviations of a "
            f"{detector.FAMILY.name} mixture are from locations that new rows would move, so they "
            f"cannot be merged. Call {name}.fit on old and new rows together."
        )
    state = detector.required_fit("update()").state
    if state.noise is not None:
        raise ConfigurationError(
            "This detector scores by draws of its code, of which a mixture cannot learn on row by "
            "row: make it with samples=0, or fit it again."
        )
    half_life = None if half_life is None else check_positive(half_life, "half_life")
    if state.n_rows is None:
        raise ConfigurationError(
            "This detector does not know how many rows its mixtures stand for, so it cannot weigh "
            "new ones against them: fit it again. Detectors that were carried over from another "
            "package do not know."
        )
    rows = as_rows(X, state.names)
    batches = _usable(rows, state.row_shape, detector.config.nan_policy)
    try:
        updated = with_rows(state, detector.net, batches, half_life)
    except IndefiniteCovarianceError as error:
        raise InvalidInputError(
            "X holds rows too far out for a covariance in float32: pass inliers alone. The "
            "detector is as it was."
        ) from error
    if updated is state:
        logger.warning("X holds no usable rows: update has changed nothing.")
        return
    detector.adopt(updated)
    detector.forget("the mixture before update")


def _usable(rows: Rows, row_shape: tuple[int, ...], nan_policy: NanPolicy) -> Iterator[FloatArray]:
    """Yield finite rows in batches of moderate size. Other rows raise an error or are ignored."""
    first = 0
    for batch in checked_batches(rows, row_shape, rows_per_pass(row_shape)):
        bad = non_finite_rows(batch)
        if len(bad) and nan_policy == "raise":
            mask = np.zeros(first + len(batch), dtype=bool)
            mask[first + bad] = True
            refuse_flagged(mask, rows)
        first += len(batch)
        if len(bad) < len(batch):
            yield np.delete(batch, bad, axis=0) if len(bad) else batch
