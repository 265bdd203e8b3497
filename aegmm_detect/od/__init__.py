"""Detectors of the autoencoding Gaussian mixture family."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.od.aegmm import OutlierAEGMM

__all__ = ["OutlierAEGMM"]

__getattr__, __dir__ = lazy_names(__name__, {"OutlierAEGMM": "aegmm_detect.od.aegmm"})
