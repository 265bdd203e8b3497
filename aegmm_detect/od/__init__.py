"""Detectors of the autoencoding Gaussian mixture family."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.od.aegmm import OutlierAEGMM
    from aegmm_detect.od.aelmm import OutlierAELMM
    from aegmm_detect.od.labelled import OutlierLabelledAEGMM
    from aegmm_detect.od.per_class import PerClassAEGMM
    from aegmm_detect.od.som import OutlierSOMAEGMM
    from aegmm_detect.od.vaegmm import OutlierVAEGMM
    from aegmm_detect.od.vqaegmm import OutlierVQAEGMM

__all__ = [
    "OutlierAEGMM",
    "OutlierAELMM",
    "OutlierLabelledAEGMM",
    "OutlierSOMAEGMM",
    "OutlierVAEGMM",
    "OutlierVQAEGMM",
    "PerClassAEGMM",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "OutlierAEGMM": "aegmm_detect.od.aegmm",
        "OutlierAELMM": "aegmm_detect.od.aelmm",
        "OutlierLabelledAEGMM": "aegmm_detect.od.labelled",
        "OutlierSOMAEGMM": "aegmm_detect.od.som",
        "OutlierVAEGMM": "aegmm_detect.od.vaegmm",
        "OutlierVQAEGMM": "aegmm_detect.od.vqaegmm",
        "PerClassAEGMM": "aegmm_detect.od.per_class",
    },
)
