"""A ready-made base for models whose fit leaves arrays: estimators of other libraries, formulas."""

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

# Rows that are scored together, always so many: sums of other numbers of rows round differently.
TILE = 256

# Prepared rows (N, ...) float32 -> scores (N,), N rows at a time.
Score = Callable[[FloatArray], FloatArray]


class ArrayDetector(MadeAtFit):
    """A detector whose fit leaves arrays by name, and whose scores follow from these alone.

    So it is saved without a pickle, and a copy scores alike. Subclasses write `learn` and `scorer`.
    Scores do not depend on the batch: rows are scored in tiles of 256, filled up with zeros.

    Parameters
    ----------
    threshold, **settings
        See `MadeAtFit`.
    """

    _fitted: "_FittedArrays | None"

    @abc.abstractmethod
    def learn(self, rows: FloatArray, seed: int | None) -> Mapping[str, Array]:
        """Arrays of numbers that say all that was learned of prepared rows (N, ...), float32."""

    @abc.abstractmethod
    def scorer(self, arrays: Mapping[str, Array]) -> Score:
        """The score that `arrays` make, as a function of prepared rows. Called once."""

    # Most rows that `learn` is given, drawn at random where there are more; None for all.
    MOST_ROWS: int | None = None

    def fit(self, X: Any, *, seed: int | None = UNSET) -> keras.callbacks.History:
        """Learn what rows are like.

        Parameters
        ----------
        X
            Normal instances, shape (N, ...): an array, a data frame, a tensor, or a stream that can
            be read more than once and fits into memory.
        seed
            Of whatever is random. Default: the detector's.

        Returns
        -------
        A `History` without epochs: nothing is trained by steps.

        Raises
        ------
        InvalidInputError
            Rows that cannot be learned from; the detector is left as it was.
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
        """What the last fit has left; None before."""
        return None if self._fitted is None else self._fitted.learned

    def take(self, learned: Learned, nets: Mapping[str, keras.Model]) -> None:
        """Score by this from now on."""
        self._adopt(_FittedArrays(learned, self.scorer))


class _FittedArrays(OfLearned):
    """Arrays at work."""

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
