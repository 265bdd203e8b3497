"""Learning on from new rows, as a method of a mixture detector."""

import abc
import logging
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from aegmm_detect.argument_checks import check_positive
from aegmm_detect.configs.aegmm import DetectorConfig
from aegmm_detect.exceptions import (
    ConfigurationError,
    IndefiniteCovarianceError,
    InvalidInputError,
)
from aegmm_detect.input_checks import non_finite_rows
from aegmm_detect.inputs import Rows, as_rows
from aegmm_detect.od.base import Detector
from aegmm_detect.od.online import with_rows
from aegmm_detect.od.parameters import MixtureParameters
from aegmm_detect.od.state import FittedState
from aegmm_detect.training.estimate import rows_per_pass
from aegmm_detect.types import FloatArray

logger = logging.getLogger(__name__)


class Updating(MixtureParameters, Detector):
    """Detectors whose mixtures learn from new inliers."""

    net: keras.Model
    config: DetectorConfig

    @abc.abstractmethod
    def _adopt(self, state: FittedState) -> None: ...

    def update(self, X: Any, *, half_life: float | None = None) -> None:
        """Let the mixtures learn from new inliers, and leave the nets as they are.

        Cheap, and enough for slow shifts; when codes themselves no longer fit, `fit` again. The
        result does not depend on how a stream is cut into batches, but on the calls: each call's
        rows get their memberships from the mixtures before it.

        Parameters
        ----------
        X
            Normal instances, as for `score`. Under ``nan_policy='flag'``, rows with NaN or infinity
            are left out.
        half_life
            Number of new rows after which all earlier ones weigh half. Default None: every row
            weighs the same, so that after a long life new ones hardly move anything.

        Raises
        ------
        ConfigurationError
            `half_life` is not a positive number; a detector that does not know how many rows its
            mixtures stand for; Laplacian mixtures, whose absolute deviations cannot be merged.
        NotFittedError, InvalidInputError
            As for `score`; rows too far out. The detector is left as it was.
        """
        if not self.FAMILY.mergeable:
            name = type(self).__name__
            raise ConfigurationError(
                f"{name} cannot learn on from new rows: the absolute deviations of a "
                f"{self.FAMILY.name} mixture are from locations that new rows would move, so they "
                f"cannot be merged. Call {name}.fit on old and new rows together."
            )
        state = self._fitted_state("update()")
        if state.noise is not None:
            raise ConfigurationError(
                "This detector scores by draws of its code, of which a mixture cannot learn on row "
                "by row: make it with samples=0, or fit it again."
            )
        half_life = None if half_life is None else check_positive(half_life, "half_life")
        if state.n_rows is None:
            raise ConfigurationError(
                "This detector does not know how many rows its mixtures stand for, so it cannot "
                "weigh new ones against them: fit it again. Detectors that were carried over from "
                "another package do not know."
            )
        rows = as_rows(X, state.names)
        batches = self._usable(rows, rows_per_pass(state.row_shape))
        try:
            updated = with_rows(state, self.net, batches, half_life)
        except IndefiniteCovarianceError as error:
            raise InvalidInputError(
                "X holds rows too far out for a covariance in float32: pass inliers alone. The "
                "detector is as it was."
            ) from error
        if updated is state:
            logger.warning("X holds no usable rows: update has changed nothing.")
            return
        self._adopt(updated)
        self._forget_decisions("the mixture before update")

    def _usable(self, rows: Rows, batch_size: int) -> Iterator[FloatArray]:
        """Finite rows, in batches that suit the nets; others are refused or left out."""
        first = 0
        for batch in self._batches(rows, batch_size):
            bad = non_finite_rows(batch)
            if len(bad) and self.config.nan_policy == "raise":
                mask = np.zeros(first + len(batch), dtype=bool)
                mask[first + bad] = True
                self._refuse_non_finite(mask, rows)
            first += len(batch)
            if len(bad) < len(batch):
                yield np.delete(batch, bad, axis=0) if len(bad) else batch
