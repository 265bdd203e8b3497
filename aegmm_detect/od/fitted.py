"""A mixture detector after `fit`: the trained net and the fitted state."""

import dataclasses
import functools
import logging
from typing import Any

import keras
import numpy as np

from aegmm_detect.configs.aegmm import ScoreType
from aegmm_detect.detector.base import OfLearned
from aegmm_detect.detector.row_scorer import RowScorer
from aegmm_detect.explanation import Explainer
from aegmm_detect.nets.graph import BEYOND
from aegmm_detect.od.state import FittedState
from aegmm_detect.types import FloatArray

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class FittedMixture(OfLearned):
    """Scores the rows of a mixture detector.

    Parameters
    ----------
    net
        Trained net: prepared rows -> (x_recon, z, gamma). Later changes of its weights do not
        change these scores.
    state
        All other results of the fit.
    score_type
        Kind of score.
    """

    net: keras.Model
    state: FittedState
    score_type: ScoreType

    def __post_init__(self) -> None:
        # Take the weights now: another detector may train the net further.
        self.scorer  # noqa: B018

    def __getstate__(self) -> dict[str, Any]:
        # Compiled programs cannot be copied or pickled; a copy makes or finds its own.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @property
    def learned(self) -> FittedState:
        """The fitted state, for `OfLearned`."""
        return self.state

    @functools.cached_property
    def scorer(self) -> RowScorer:
        """Compiled function: raw rows -> scores."""
        return self.state.scorer(self.net, self.score_type)

    @functools.cached_property
    def explainer(self) -> Explainer:
        """Explainer of these scores."""
        state = self.state
        function = state.function(self.score_type)
        return Explainer(function, self.net, state.parameters, state.row_dtype)

    def score(self, batch: FloatArray) -> FloatArray:
        """Scores (N,) float32 of checked rows (N, ...); NaN for rows that are not finite."""
        scores = self.scorer(batch)
        if n_beyond := np.count_nonzero(scores >= BEYOND):
            logger.warning(
                "%d rows score %.3g, the largest number: they are too far out for float32, or "
                "recon_features is NaN for them.",
                n_beyond,
                BEYOND,
            )
        return scores
