"""A detector whose scores are known: laws of the base are proved on it, once."""

import dataclasses

import numpy as np

from aegmm_detect.configs.rows import RowsConfig
from aegmm_detect.detector.base import Detector
from aegmm_detect.inputs import as_rows
from aegmm_detect.row_sketch import RowSketch, RowSketchFit
from aegmm_detect.training.prepare import prepare


@dataclasses.dataclass(frozen=True)
class Seen:
    """What its fit leaves."""

    row_shape: tuple[int, ...]
    trained_on: RowSketch | None
    names: tuple[str, ...] | None = None

    def score(self, batch):
        finite = np.isfinite(batch).all(axis=1)
        return np.where(finite, batch[:, 0], np.nan).astype("float32")


class FirstColumn(Detector):
    """Scores a row by its first number."""

    def __init__(self, threshold=None, nan_policy="raise"):
        super().__init__(RowsConfig(data_type="tabular", nan_policy=nan_policy), threshold)

    def fit(self, X):
        rows = as_rows(X)
        prepared = prepare(rows, None, None, self.config.nan_policy, 0.0, None)
        self._forget_fit()
        self._adopt(Seen(prepared.shape, prepared.trained_on, rows.columns.names))


def sketch_of(X):
    seen = RowSketchFit()
    seen.update(X)
    return seen.finish()
