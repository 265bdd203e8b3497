"""Outlier detection with autoencoding Gaussian mixture models for TensorFlow and Keras 3."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names
from aegmm_detect.version import __version__

if TYPE_CHECKING:
    from aegmm_detect.od import OutlierAEGMM

__all__ = ["OutlierAEGMM", "__version__"]

__getattr__, __dir__ = lazy_names(__name__, {"OutlierAEGMM": "aegmm_detect.od"})
