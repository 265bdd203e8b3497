"""Explain the scores of a mixture detector by features."""

from typing import TYPE_CHECKING, Any

import numpy as np

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.explanation import Explanation
from aegmm_detect.input_checks import non_finite_rows
from aegmm_detect.inputs import as_rows
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE, checked_batches, refuse_flagged

if TYPE_CHECKING:
    from aegmm_detect.od.mixture import MixtureDetector


def explain(detector: "MixtureDetector", X: Any) -> Explanation:
    """Contributions of features to the scores of `X`; see `MixtureDetector.explain`."""
    fitted = detector.required_fit("explain()")
    if fitted.state.eager:
        raise ConfigurationError(
            "The nets run uncompiled, so no gradient flows through all of them: write "
            "recon_features with keras.ops in place of NumPy to have scores explained."
        )
    rows = as_rows(X, fitted.names)
    batches = list(checked_batches(rows, fitted.row_shape, DEFAULT_BATCH_SIZE))
    whole = np.concatenate([np.empty((0, *fitted.row_shape)), *batches])
    bad = np.zeros(len(whole), dtype=bool)
    bad[non_finite_rows(whole)] = True
    if detector.config.nan_policy == "raise":
        refuse_flagged(bad, rows)
    return fitted.explainer(whole)
