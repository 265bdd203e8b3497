"""The common base of `ArrayDetector` and `NetDetector`: settings, results of a fit, saving."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras
import numpy as np

from aegmm_detect.configs.input import InputEntry
from aegmm_detect.detector.base import Detector
from aegmm_detect.detector.parts import Parts
from aegmm_detect.detector.stored_arrays import StoredArrays, stored_rows
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.types import Array, FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class Learned:
    """Result of a fit, for any model."""

    row_shape: tuple[int, ...]
    names: tuple[str, ...] | None
    trained_on: RowSketch | None
    normalizer: Normalizer | None
    arrays: Mapping[str, Array]  # by name
    eager: bool = False  # whether the model cannot be compiled

    @property
    def row_dtype(self) -> str:
        """Dtype to which raw rows are cast."""
        return "float32" if self.normalizer is None else "float64"

    def prepared(self, batch: FloatArray) -> FloatArray:
        """Scale raw rows for the model; float32."""
        if self.normalizer is None:
            return batch.astype(np.float32)
        return self.normalizer.transform(batch)


class MadeAtFit(Detector):
    """A detector that takes the number of features from the rows passed to `fit`.

    Parameters
    ----------
    threshold
        Score above which a row is an outlier. Default None: `infer_threshold` sets it.
    **settings
        Fields of `CONFIG`: `data_type`, `normalize`, `nan_policy`, `seed` and the class's own.
    """

    def __init__(self, threshold: float | None = None, **settings: Any) -> None:
        super().__init__(self.CONFIG.of(**settings), threshold)

    @property
    @abc.abstractmethod
    def learned(self) -> Learned | None:
        """Result of the last fit; None before the first."""

    @property
    def nets(self) -> Mapping[str, keras.Model]:
        """Nets to save, by role; empty before `fit`."""
        return {}

    @abc.abstractmethod
    def take(self, learned: Learned, nets: Mapping[str, keras.Model]) -> None:
        """Use this fitted state from now on."""

    # Keys of `nets` after `fit`.
    ROLES: ClassVar[tuple[str, ...]] = ()

    def typical_rows(self, n_rows: int) -> FloatArray:
        """See `Detector.typical_rows`; on the scale of the training rows."""
        rows = super().typical_rows(n_rows)
        scaling = None if self.learned is None else self.learned.normalizer
        return rows if scaling is None else scaling.offset + scaling.scale * rows

    def to_parts(self) -> Parts:
        """See `Detector.to_parts`."""
        settings = {"config": self.config.model_dump(mode="json"), **self._more_settings()}
        learned = self.learned
        if learned is None:
            return Parts(settings)
        arrays = {f"own.{name}": np.asarray(array) for name, array in learned.arrays.items()}
        arrays |= stored_rows(learned.normalizer, learned.trained_on)
        rows = InputEntry(
            shape=learned.row_shape,
            dtype=learned.row_dtype,
            names=learned.names,
            eager=learned.eager,
        )
        return Parts(settings, dict(self.nets), arrays, rows)

    @classmethod
    def from_parts(
        cls, parts: Parts, threshold: float | None, custom_objects: Mapping[str, Any]
    ) -> Self:
        """See `Detector.from_parts`."""
        made = cls._from_settings(parts.settings, threshold)
        if parts.rows is None:
            parts.check_nets()
            if parts.arrays:
                raise ArtefactError(f"It is not fitted, and holds {sorted(parts.arrays)}.")
            return made
        parts.check_nets(*cls.ROLES)
        rows, left = parts.rows, StoredArrays(parts.arrays)
        normalizer, trained_on = left.take_normalizer(rows.shape), left.take_sketch()
        own = left.take_rest("own.")
        made.check_arrays(own, rows.shape)
        made.take(
            Learned(rows.shape, rows.names, trained_on, normalizer, own, rows.eager), parts.nets
        )
        return made

    def check_arrays(self, arrays: Mapping[str, Array], row_shape: tuple[int, ...]) -> None:
        """Check arrays read from a file: raise if `fit` could not have made them.

        They are known to be finite. The default checks nothing else.

        Raises
        ------
        ArtefactError
            An array is wrong; the message names it.
        """

    def _more_settings(self) -> dict[str, Any]:
        """Further sections of `Parts.settings`, besides 'config'."""
        return {}

    @classmethod
    def _from_settings(cls, settings: Mapping[str, Any], threshold: float | None) -> Self:
        return cls(threshold, **settings["config"])
