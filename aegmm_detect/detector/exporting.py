"""Export of a fitted detector whose scores are a graph."""

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
    """Write the scores of `detector` as a graph; see `OutlierAEGMM.export`.

    Parameters
    ----------
    detector
        Fitted.
    graph
        Operations of a runtime -> raw rows -> scores.
    scorer
        What the graph is compared with.
    normalizer
        Scaling of the rows: where made-up rows to compare on lie.
    path, format, X
        The user's.

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
