"""Export of a mixture detector."""

import functools
import os
from typing import TYPE_CHECKING, Any

from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.detector.exporting import export_scores
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.export.untraceable import untraceable

if TYPE_CHECKING:
    from aegmm_detect.od.mixture import MixtureDetector


def export_detector(
    detector: "MixtureDetector", path: str | os.PathLike[str], format: str, X: Any
) -> ExportMetadata:
    """Write the scoring graph of `detector`; see `MixtureDetector.export`."""
    fitted = detector.required_fit("export()")
    state = fitted.state
    if state.eager:
        part = untraceable(detector.net) or "recon_features"
        raise ConfigurationError(
            f"The nets run uncompiled, so there is no graph to export: write {part} with "
            "keras.ops in place of NumPy."
        )
    graph = functools.partial(state.graph, detector.net, fitted.score_type)
    return export_scores(detector, graph, fitted.scorer, state.normalizer, path, format, X)
