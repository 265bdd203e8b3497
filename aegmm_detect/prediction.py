"""The dictionary that `predict` returns, of detectors and of light scorers."""

from typing import Any

import numpy as np

from aegmm_detect.types import Array, BoolArray, FloatArray


def prediction(
    scores: FloatArray | None,
    outlier: BoolArray,
    meta: dict[str, Any],
    *,
    feature_score: Array | None = None,
    p_value: Array | None = None,
) -> dict[str, dict[str, Any]]:
    """``{'data': {...}, 'meta': ...}`` in the order that readers have seen so far.

    Parameters
    ----------
    scores
        Of the rows, (N,); None where they were not asked for.
    outlier
        Which rows are outliers, (N,).
    meta
        Of the detector, the caller's to change.
    feature_score
        Shares of features, in the shape of the rows; None where they were not asked for.
    p_value
        (N,); left out of the dictionary where it is None.
    """
    data: dict[str, Any] = {"instance_score": scores, "feature_score": feature_score}
    if p_value is not None:
        data["p_value"] = p_value
    data["is_outlier"] = np.asarray(outlier).astype(np.int64)
    return {"data": data, "meta": meta}
