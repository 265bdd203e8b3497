"""Export of a mixture detector, as a method of it."""

import abc
import functools
import os
from typing import Any

import keras

from aegmm_detect.configs.aegmm import DetectorConfig
from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.exceptions import ConfigurationError, ThresholdNotInferredError
from aegmm_detect.export.untraceable import untraceable
from aegmm_detect.export.write import Subject, export
from aegmm_detect.od.row_scorer import RowScorer
from aegmm_detect.od.state import FittedState


class Exporting(abc.ABC):
    """Detectors whose scoring graph runs elsewhere."""

    net: keras.Model
    config: DetectorConfig
    _scorer: RowScorer | None

    @property
    @abc.abstractmethod
    def threshold(self) -> float | None:
        """Score above which a row is an outlier."""

    @property
    @abc.abstractmethod
    def meta(self) -> dict[str, Any]:
        """Name, type, data type, version."""

    @abc.abstractmethod
    def _fitted_state(self, what: str) -> FittedState: ...

    def export(
        self, path: str | os.PathLike[str], format: str = "savedmodel", X: Any = None
    ) -> ExportMetadata:
        """Export raw rows -> scores and decisions, for machines without this package or TensorFlow.

        The directory `path` then holds the graph, with one input ``x`` (N, ...) and the outputs
        ``instance_score`` float32 (N,) and ``is_outlier`` int64 (N,), and ``metadata.json``. It has
        been reloaded in its runtime and compared with the detector. Rows with NaN or infinity score
        NaN and are outliers.

        Parameters
        ----------
        path
            Directory, made if need be; an export that is there is replaced.
        format
            'savedmodel' (TensorFlow Serving, Triton), 'onnx' or 'litert'; `Scorer` runs the last
            two. LiteRT takes rows of float32; the others, of float64 if the detector scales them.
        X
            Rows to compare on, the first 1,024 of them. Default: made-up ones, from where the
            detector's scaling says that rows lie; a detector that does not scale wants real ones.

        Returns
        -------
        What stands in ``metadata.json``, the largest difference of scores among it.

        Raises
        ------
        ThresholdNotInferredError
            No threshold is set.
        ArtefactError
            The graph cannot be converted, is refused by its runtime, or scores otherwise; something
            else is at `path`. Nothing is left then.
        ConfigurationError
            An unknown format; a `path` that is empty, ends like a file (``.onnx``), or is the
            working directory; nets that run uncompiled.
        MissingExtraError
            The format's converter or runtime is not installed.
        NotFittedError
            Before `fit`.
        """
        state = self._fitted_state("export()")
        threshold = self.threshold
        if threshold is None:
            raise ThresholdNotInferredError(
                "An exported graph says which rows are outliers, and no threshold is set. Call "
                "infer_threshold(X) on a mixed batch, or set .threshold; float('inf') for scores "
                "alone."
            )
        if state.eager:
            part = untraceable(self.net) or "recon_features"
            raise ConfigurationError(
                "The nets run uncompiled, so there is no graph to export: write "
                f"{part} with keras.ops in place of NumPy."
            )
        assert self._scorer is not None  # there is a state
        subject = Subject(
            graph=functools.partial(state.graph, self.net, self.config.score_type),
            normalizer=state.normalizer,
            reference=self._scorer,
            threshold=threshold,
            nan_policy=self.config.nan_policy,
            meta=self.meta,
            row_shape=state.row_shape,
            names=state.names,
        )
        return export(subject, path, format, X)
