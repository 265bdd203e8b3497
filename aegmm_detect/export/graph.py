"""The scoring graph in operations that every runtime has, and the decision that follows."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from aegmm_detect.decision import in_precision_of
from aegmm_detect.nets.graph import Operations, ScoringGraph
from aegmm_detect.numerics import portable
from aegmm_detect.types import Tensor

# Before a cast to float32, which would make infinity of more.
_CAST_UP_TO = 3e38


def _scaled(x: Tensor, offset: Any, scale: Any, squash: bool) -> Tensor:
    """Only differences and quotients in float64, or, of float32 rows, nothing at all."""
    if keras.backend.standardize_dtype(x.dtype) == "float32":
        near = portable.standardize(x, offset, scale)
    else:
        exact = (x - offset) / scale
        near = ops.cast(ops.clip(exact, -_CAST_UP_TO, _CAST_UP_TO), "float32")
    return portable.arcsinh(near) if squash else near


# For LiteRT and onnxruntime: the same scores but for rounding, of rows of either precision.
PORTABLE = Operations(portable.is_finite, portable.arcsinh, _scaled)


def with_decision(graph: ScoringGraph, threshold: float) -> Callable[[Tensor], dict[str, Tensor]]:
    """Rows (N, ...) -> ``instance_score`` float32 (N,), ``is_outlier`` int64 (N,).

    Weights are constants: LiteRT's converter makes slow or uninitialised variables of Keras's.
    """
    limit = in_precision_of(np.empty(0, np.float32), threshold)
    weights = [(variable, variable.numpy()) for variable in graph.variables]

    def decide(x: Tensor) -> dict[str, Tensor]:
        constants = [(variable, ops.convert_to_tensor(value)) for variable, value in weights]
        with keras.StatelessScope(state_mapping=constants):
            scores = graph(x)
        # Not `scores > limit`, which calls NaN an inlier. Nor is it left to a runtime to know that
        # NaN is not below the limit: some compile without regard for it.
        inlier = ops.logical_and(portable.is_finite(scores), scores <= limit)
        is_outlier = ops.cast(ops.logical_not(inlier), "int64")
        return {"instance_score": scores, "is_outlier": is_outlier}

    return decide
