"""Scores and feature shares of a `NetDetector` after `fit`."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from aegmm_detect.configs.rows import NanPolicy
from aegmm_detect.detector.base import OfLearned
from aegmm_detect.detector.made_at_fit import Learned
from aegmm_detect.detector.row_scorer import TILE, RowScorer
from aegmm_detect.explanation import shares_of
from aegmm_detect.inputs import as_rows
from aegmm_detect.nets.graph import (
    TENSORFLOW,
    Operations,
    ScoringGraph,
    numbers_for_finite_rows,
)
from aegmm_detect.programs.pure import NetProgram, PureFunction
from aegmm_detect.programs.tracing import SCORING
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE, checked_batches, refuse_flagged
from aegmm_detect.types import FloatArray, Tensor

# Function: (net, arrays by name, prepared rows (N, ...)) -> (N,) or (N, ...).
OfRows = Callable[[keras.Model, Mapping[str, Tensor], Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class NetScore:
    """Scores of raw rows (N, ...): scales them and applies `value`; NaN for rows not finite.

    Two that are equal compute the same.

    Parameters
    ----------
    value
        Function of (net, arrays, prepared rows).
    squash
        Whether the scaling squashes; see `Normalizer`.
    operations
        Operations of the runtime.
    """

    value: OfRows
    squash: bool = False
    operations: Operations = TENSORFLOW

    def __call__(self, net: keras.Model, parameters: Any, x: Tensor, /) -> Tensor:
        """Scores (N,) float32. A finite row whose score overflows gets the largest number."""
        scores = ops.cast(self.of_rows(net, parameters, x), "float32")
        return numbers_for_finite_rows(scores, x, self.operations)

    def of_rows(self, net: keras.Model, parameters: Any, x: Tensor) -> Tensor:
        """The result of `value` for raw rows `x`."""
        scaling, arrays = parameters
        rows = x if scaling is None else self.operations.scaled(x, *scaling, self.squash)
        return self.value(net, arrays, rows)


@dataclasses.dataclass(frozen=True, eq=False)
class FittedNet(OfLearned):
    """Scores rows with a trained model.

    Parameters
    ----------
    net
        The trained model. Later changes of its weights do not change these scores.
    learned
        All other results of the fit.
    row_scores, row_contributions
        See `NetDetector`.
    """

    net: keras.Model
    learned: Learned
    row_scores: OfRows
    row_contributions: OfRows | None

    def __post_init__(self) -> None:
        # Take the weights now: the net may be trained further.
        self.scorer  # noqa: B018

    def __getstate__(self) -> dict[str, Any]:
        # Compiled programs cannot be copied or pickled; a copy makes or finds its own.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @functools.cached_property
    def scorer(self) -> RowScorer:
        """Compiled function: raw rows -> scores."""
        function = self._function(self.row_scores)
        pure = PureFunction(function, ("net score", function))
        learned = self.learned
        return RowScorer(self.net, pure, self._parameters, learned.row_dtype, learned.eager)

    def score(self, batch: FloatArray) -> FloatArray:
        """Scores (N,) float32 of checked rows (N, ...); NaN for rows that are not finite."""
        return self.scorer(batch)

    def graph(self, operations: Operations = TENSORFLOW) -> ScoringGraph:
        """One Keras layer: raw rows -> scores."""
        function, dtype = self._function(self.row_scores, operations), self.learned.row_dtype
        return ScoringGraph(function, self.net, self._parameters, dtype)

    def shares(self, X: Any, nan_policy: NanPolicy) -> FloatArray:
        """Share of each feature in its row's strangeness, shaped like `X`; each row sums to 1."""
        rows = as_rows(X, self.names)
        batches = list(checked_batches(rows, self.row_shape, DEFAULT_BATCH_SIZE))
        whole = np.concatenate([np.empty((0, *self.row_shape)), *batches])
        with np.errstate(over="ignore"):  # values beyond float32 become infinite, as for scores
            finite = np.isfinite(whole.astype(np.float32))
        bad = np.asarray(~finite.reshape(len(finite), -1).all(axis=1))
        if nan_policy == "raise":
            refuse_flagged(bad, rows)
        amounts = [np.empty((0, *self.row_shape))]
        filled = np.where(finite, whole, 0.0).astype(self.learned.row_dtype)
        for start in range(0, len(filled), TILE):
            tile = filled[start : start + TILE]
            padding = np.zeros((TILE - len(tile), *tile.shape[1:]), dtype=tile.dtype)
            found = self._contributions(np.concatenate([tile, padding]), exact=True)
            amounts.append(np.asarray(found)[: len(tile)])
        each = np.abs(np.concatenate(amounts))
        each[bad] = ~finite[bad]
        return shares_of(each).astype(np.float32)

    @functools.cached_property
    def _contributions(self) -> NetProgram:
        assert self.row_contributions is not None  # `NetDetector._feature_scores` checks this
        function = self._function(self.row_contributions)
        pure = PureFunction(function.of_rows, ("contributions", function))
        return NetProgram(
            self.net, pure, self._parameters, "eager" if self.learned.eager else SCORING["mode"]
        )

    def _function(self, value: OfRows, operations: Operations = TENSORFLOW) -> NetScore:
        normalizer = self.learned.normalizer
        return NetScore(value, normalizer is not None and normalizer.squash, operations)

    @property
    def _parameters(self) -> tuple[Any, Any]:
        normalizer = self.learned.normalizer
        scaling = None if normalizer is None else (normalizer.offset, normalizer.scale)
        return scaling, dict(self.learned.arrays)
