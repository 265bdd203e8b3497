"""A trained classifier at work: rows -> probabilities of classes."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from aegmm_detect.few_labels.layers import stochastic_pass
from aegmm_detect.few_labels.rows import refuse_non_finite_rows
from aegmm_detect.inputs import as_rows
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.processes import check_process
from aegmm_detect.programs.tracing import compiled
from aegmm_detect.scoring_loop import checked_batches
from aegmm_detect.types import Array, FloatArray, Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class FittedClassifier:
    """What a fit leaves."""

    net: keras.Sequential  # scaled rows -> probabilities
    normalizer: Normalizer
    classes: Array  # (C,)
    row_shape: tuple[int, ...]
    names: tuple[str, ...] | None  # of the columns, where rows came in a frame

    def probabilities(self, X: Any, passes: int, batch_size: int) -> FloatArray:
        """Probabilities of the classes, (N, C) float64.

        Parameters
        ----------
        X
            Rows (N, ...).
        passes
            With dropout on, to be averaged; 0 for one pass without dropout.
        batch_size
            Rows per pass over arrays.

        Raises
        ------
        ConfigurationError
            `batch_size` is not a positive whole number.
        InvalidInputError
            Other columns or shapes than at fit; rows with NaN or infinity.
        """
        check_process()
        forward = self._stochastic if passes else self._once
        rows = as_rows(X, self.names)
        parts, n_seen = [np.empty((0, len(self.classes)))], 0
        for batch in checked_batches(rows, self.row_shape, batch_size):
            refuse_non_finite_rows(batch, rows.columns.names, n_seen)
            n_seen += len(batch)
            x = keras.ops.convert_to_tensor(self.normalizer.transform(batch))
            total = np.zeros((len(batch), len(self.classes)))
            for _ in range(passes or 1):
                total += keras.ops.convert_to_numpy(forward(x))
            # The softmax is of float32, whose sums are 1 up to its rounding.
            parts.append(total / total.sum(axis=1, keepdims=True))
        return np.concatenate(parts)

    def __getstate__(self) -> dict[str, Any]:
        # Compiled programs stay in this process; a copy compiles its own.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @functools.cached_property
    def _once(self) -> Callable[[Tensor], Tensor]:
        return compiled(functools.partial(self.net, training=False), self.row_shape)

    @functools.cached_property
    def _stochastic(self) -> Callable[[Tensor], Tensor]:
        return compiled(functools.partial(stochastic_pass, self.net), self.row_shape)
