"""Export a fitted detector as a graph."""

import os
from collections.abc import Callable
from typing import Any

from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.detector.base import Detector
from aegmm_detect.detector.row_scorer import RowScorer
from aegmm_detect.exceptions import ThresholdNotInferredError
from aegmm_detect.export.write import Exported, export
from aegmm_detect.nets.graph import Operations, ScoringGraph
from aegmm_detect.nets.normalizer import Normalizer


def export_scores(
    detector: Detector,
    graph: Callable[[Operations], ScoringGraph],
    scorer: RowScorer,
    normalizer: Normalizer | None,
    path: str | os.PathLike[str],
    format: str,
    X: Any,
) -> ExportMetadata:
    """Write the scores and decisions of `detector` as a graph; see `OutlierAEGMM.export`.

    Parameters
    ----------
    detector
        A fitted detector.
    graph
        Function of a runtime's operations that returns the layer: raw rows -> scores.
    scorer
        The detector's own scores; the exported graph is compared with them.
    normalizer
        Scaling of the rows. It gives the range of the made-up rows for that comparison.
    path, format, X
        Arguments of the user's call of `export`.

    Raises
    ------
    ThresholdNotInferredError
        No threshold is set.
    Exception
        As for `export`.
    """
    threshold = detector.threshold
    if threshold is None:
        raise ThresholdNotInferredError(
            "An exported graph says which rows are outliers, and no threshold is set. Call "
            "infer_threshold(X) on a mixed batch, or set .threshold; float('inf') for scores "
            "alone."
        )
    fitted = detector._required_fit("export()")
    exported = Exported(
        graph=graph,
        normalizer=normalizer,
        reference=scorer,
        threshold=threshold,
        nan_policy=detector.config.nan_policy,
        meta=dict(detector.meta),
        row_shape=fitted.row_shape,
        names=fitted.names,
    )
    return export(exported, path, format, X)
