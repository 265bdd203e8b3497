"""Score rows by an exported detector, without TensorFlow and without Keras."""

from aegmm_detect.scoring.scorer import Scorer

__all__ = ["Scorer"]
