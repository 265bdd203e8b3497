"""Copies and pickles of mixture detectors: of everything but what this process has compiled."""

import abc
import copy
from typing import Any, Self

import keras

from aegmm_detect.configs.aegmm import DetectorConfig, ScoreType
from aegmm_detect.od.state import FittedState

# Attributes that hold compiled programs and locks, which stay in this process.
_COMPILED = ("_scorer", "_explainer")


class Copying(abc.ABC):
    """Detectors that share nothing with their copies and travel to other processes."""

    net: keras.Model
    config: DetectorConfig
    fitted: bool
    _state: FittedState | None

    def __copy__(self) -> Self:
        # Training one of two that share their nets would change the scores of the other.
        return copy.deepcopy(self)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | dict.fromkeys(_COMPILED)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._state is not None and self.fitted:
            self._score_by(self._state, self.config.score_type)

    @abc.abstractmethod
    def _score_by(self, state: FittedState, score_type: ScoreType) -> None:
        """Compile what scores rows."""
