"""Detectors of the autoencoding Gaussian mixture family."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.od.aegmm import OutlierAEGMM
    from aegmm_detect.od.aelmm import OutlierAELMM
    from aegmm_detect.od.per_class import PerClassAEGMM

__all__ = ["OutlierAEGMM", "OutlierAELMM", "PerClassAEGMM"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "OutlierAEGMM": "aegmm_detect.od.aegmm",
        "OutlierAELMM": "aegmm_detect.od.aelmm",
        "PerClassAEGMM": "aegmm_detect.od.per_class",
    },
)
