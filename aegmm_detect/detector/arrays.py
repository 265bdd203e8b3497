"""A base class for models whose fitted state is arrays: other libraries' estimators, formulas."""

import abc
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from aegmm_detect.detector.base import OfLearned
from aegmm_detect.detector.made_at_fit import Learned, MadeAtFit
from aegmm_detect.inputs import as_rows
from aegmm_detect.training.estimate import sample_rows
from aegmm_detect.training.prepare import prepare
from aegmm_detect.types import UNSET, Array, FloatArray

# Rows per call of the score. Always the same number, because sums over other numbers of rows round
# differently.
TILE = 256

# Function: prepared rows (N, ...) float32 -> scores (N,). N is always TILE.
Score = Callable[[FloatArray], FloatArray]


class ArrayDetector(MadeAtFit):
    """A detector whose fitted state is a dictionary of arrays. Scores depend on nothing else.

    So it can be saved without a pickle, and a copy gives the same scores. Subclasses write `learn`
    and `scorer`. A row's score does not depend on its batch: rows are scored in tiles of 256, and
    the last tile is padded with zeros.

    Parameters
    ----------
    threshold, **settings
        See `MadeAtFit`.
    """

    _fitted: "_FittedArrays | None"

    @abc.abstractmethod
    def learn(self, rows: FloatArray, seed: int | None) -> Mapping[str, Array]:
        """Learn from prepared rows (N, ...) float32. Return the fitted state as arrays by name."""

    @abc.abstractmethod
    def scorer(self, arrays: Mapping[str, Array]) -> Score:
        """Return the function that scores prepared rows with these `arrays`. It is called once."""

    # Maximum number of rows passed to `learn`; a random sample if there are more. None: all rows.
    MOST_ROWS: int | None = None

    def fit(self, X: Any, *, seed: int | None = UNSET) -> keras.callbacks.History:
        """Learn from normal rows.

        Parameters
        ----------
        X
            Normal instances, shape (N, ...): an array, a data frame, a tensor, or a stream that can
            be read more than once and fits into memory.
        seed
            Random seed. Default: the detector's.

        Returns
        -------
        A `History` without epochs, because there are no training steps.

        Raises
        ------
        InvalidInputError
            The rows cannot be used for training. The detector is unchanged.
        """
        own_seed = self.config.seed if seed is UNSET else seed
        rows, config = as_rows(X), self.config
        prepared = prepare(rows, None, config.normalize, config.nan_policy, 0.0, own_seed)
        most = prepared.train.n_rows if self.MOST_ROWS is None else self.MOST_ROWS
        arrays = self.learn(sample_rows(prepared.train, most, own_seed), own_seed)
        names, trained_on = rows.columns.names, prepared.trained_on
        self._forget_fit()
        self.take(Learned(prepared.shape, names, trained_on, prepared.normalizer, arrays), {})
        history = keras.callbacks.History()
        history.epoch = []
        return history

    @property
    def learned(self) -> Learned | None:
        """Result of the last fit; None before the first."""
        return None if self._fitted is None else self._fitted.learned

    def take(self, learned: Learned, nets: Mapping[str, keras.Model]) -> None:
        """Use this fitted state from now on."""
        self._adopt(_FittedArrays(learned, self.scorer))


class _FittedArrays(OfLearned):
    """Fitted arrays, and the function that scores rows with them."""

    def __init__(self, learned: Learned, scorer: Callable[[Mapping[str, Array]], Score]) -> None:
        self.learned = learned
        self._scorer = scorer

    def __getstate__(self) -> dict[str, Any]:
        return {"learned": self.learned, "_scorer": self._scorer}

    @functools.cached_property
    def _score(self) -> Score:
        return self._scorer(self.learned.arrays)

    def score(self, batch: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and scores NaN
            finite = np.isfinite(batch.astype(np.float32)).all(axis=tuple(range(1, batch.ndim)))
        batch = np.where(finite.reshape(-1, *[1] * (batch.ndim - 1)), batch, 0.0)
        prepared = self.learned.prepared(batch)
        missing = np.zeros((-len(prepared) % TILE, *prepared.shape[1:]), dtype=np.float32)
        filled = np.concatenate([prepared, missing])
        tiles = (filled[i : i + TILE] for i in range(0, len(filled), TILE))
        scores = np.concatenate([np.asarray(self._score(tile)) for tile in tiles])[: len(batch)]
        return np.where(finite, scores, np.nan).astype(np.float32)
