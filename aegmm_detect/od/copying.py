"""Copies and pickles of mixture detectors: of everything but what this process has compiled."""

import copy
from typing import Any, Self

import keras

from aegmm_detect.configs.aegmm import DetectorConfig
from aegmm_detect.od.row_scorer import RowScorer
from aegmm_detect.od.state import FittedState


class Copying:
    """Detectors that share nothing with their copies and travel to other processes."""

    net: keras.Model
    config: DetectorConfig
    fitted: bool
    _state: FittedState | None
    _scorer: RowScorer | None

    def __copy__(self) -> Self:
        # Training one of two that share their nets would change the scores of the other.
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        # Compiled programs and locks stay here.
        return self.__dict__ | {"_scorer": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._state is not None and self.fitted:
            self._scorer = self._state.scorer(self.net, self.config.score_type)
