"""Export of a mixture detector."""

import functools
import os
from typing import TYPE_CHECKING, Any

from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.exceptions import ConfigurationError, ThresholdNotInferredError
from aegmm_detect.export.untraceable import untraceable
from aegmm_detect.export.write import Exported, export

if TYPE_CHECKING:
    from aegmm_detect.od.mixture import MixtureDetector


def export_detector(
    detector: "MixtureDetector", path: str | os.PathLike[str], format: str, X: Any
) -> ExportMetadata:
    """Write the scoring graph of `detector`; see `MixtureDetector.export`."""
    fitted = detector.required_fit("export()")
    threshold = detector.threshold
    if threshold is None:
        raise ThresholdNotInferredError(
            "An exported graph says which rows are outliers, and no threshold is set. Call "
            "infer_threshold(X) on a mixed batch, or set .threshold; float('inf') for scores "
            "alone."
        )
    state = fitted.state
    if state.eager:
        part = untraceable(detector.net) or "recon_features"
        raise ConfigurationError(
            f"The nets run uncompiled, so there is no graph to export: write {part} with "
            "keras.ops in place of NumPy."
        )
    exported = Exported(
        graph=functools.partial(state.graph, detector.net, fitted.score_type),
        normalizer=state.normalizer,
        reference=fitted.scorer,
        threshold=threshold,
        nan_policy=detector.config.nan_policy,
        meta=dict(detector.meta),
        row_shape=fitted.row_shape,
        names=fitted.names,
    )
    return export(exported, path, format, X)
