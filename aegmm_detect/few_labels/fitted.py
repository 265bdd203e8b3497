"""A trained classifier at work: rows -> probabilities of classes."""

import dataclasses
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.few_labels.layers import stochastic_pass
from aegmm_detect.few_labels.rows import refuse_non_finite_rows
from aegmm_detect.inputs import as_rows
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.programs.pure import NetProgram, PureFunction
from aegmm_detect.scoring_loop import checked_batches
from aegmm_detect.training.seeding import seed_random_layers
from aegmm_detect.types import Array, FloatArray, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class FittedClassifier:
    """What a fit leaves."""

    net: keras.Sequential  # scaled rows -> probabilities
    normalizer: Normalizer
    classes: Array  # (C,)
    row_shape: tuple[int, ...]
    names: tuple[str, ...] | None  # of the columns, where the rows came in a data frame
    # Compiled, by function. A copy compiles its own.
    _programs: dict[PureFunction, NetProgram] = dataclasses.field(default_factory=dict, repr=False)

    def probabilities(self, X: Any, batch_size: int) -> FloatArray:
        """Probabilities of the classes, (N, C) float64.

        Parameters
        ----------
        X
            Rows (N, ...).
        batch_size
            Rows per pass over arrays.

        Raises
        ------
        ConfigurationError
            `batch_size` is not a positive whole number.
        InvalidInputError
            Other columns or shapes than at fit; rows with NaN or infinity.
        """
        program = self._program(_PLAIN)
        return self._over_batches(X, batch_size, lambda x: np.asarray(program(x), np.float64))

    def mean_probabilities(
        self, X: Any, batch_size: int, passes: int, seed: int | None
    ) -> FloatArray:
        """Mean of the probabilities of several passes with dropout, (N, C) float64.

        Parameters
        ----------
        X, batch_size
            As for `probabilities`, with the same errors.
        passes
            How many, at least 1.
        seed
            Equal seeds drop the same units. None: other units each time.
        """
        if seed is not None:
            seed_random_layers(self.net, seed)
        program = self._program(_STOCHASTIC)
        # A program leaves the net as it is, so it is told how many passes came before.
        n_before = 0 if seed is not None else int(np.random.default_rng().integers(2**31))

        def mean(x: FloatArray) -> FloatArray:
            nonlocal n_before
            total = np.zeros((len(x), len(self.classes)))
            for _ in range(passes):
                total += np.asarray(program(x, np.array([n_before])))
                n_before += 1
            return total

        return self._over_batches(X, batch_size, mean)

    def _over_batches(self, X: Any, batch_size: int, function: Any) -> FloatArray:
        """Shares (N, C), whose sums are 1, from a function of scaled rows."""
        rows = as_rows(X, self.names)
        parts, n_seen = [np.empty((0, len(self.classes)))], 0
        for batch in checked_batches(rows, self.row_shape, batch_size):
            refuse_non_finite_rows(batch, rows.columns.names, n_seen)
            n_seen += len(batch)
            found = function(self.normalizer.transform(batch))
            # The softmax is of float32, whose sums are 1 up to its rounding.
            parts.append(found / found.sum(axis=1, keepdims=True))
        return np.concatenate(parts)

    def _program(self, function: PureFunction) -> NetProgram:
        program = self._programs.get(function)
        # The net is the user's, too, who may have changed its weights.
        if program is None or not program.is_current():
            program = self._programs[function] = NetProgram(self.net, function)
        return program

    def __getstate__(self) -> dict[str, Any]:
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fields | {"_programs": {}}


def checked_passes(monte_carlo: Any, dropout: float) -> int:
    """Number of passes with dropout; 0 for one without.

    Raises
    ------
    ConfigurationError
        It is no such number, or all passes would be the same.
    """
    whole = isinstance(monte_carlo, (int, np.integer)) and not isinstance(monte_carlo, bool)
    if not whole or monte_carlo < 0:
        raise ConfigurationError(
            f"monte_carlo={monte_carlo!r}: pass a whole number of passes, 0 for none."
        )
    if monte_carlo and not dropout:
        raise ConfigurationError(
            f"monte_carlo={monte_carlo} passes would all be the same with dropout=0: leave "
            "monte_carlo out, or fit a classifier with dropout."
        )
    return int(monte_carlo)


def _plain(net: keras.Sequential, arrays: None, x: Tensor) -> Tensor:
    return net(x, training=False)


def _stochastic(net: keras.Sequential, arrays: None, x: Tensor, n_before: Tensor) -> Tensor:
    return stochastic_pass(net, x, n_before[0])


_PLAIN = PureFunction(_plain, _plain)
_STOCHASTIC = PureFunction(_stochastic, _stochastic)
