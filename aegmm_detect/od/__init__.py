"""Detectors of the autoencoding Gaussian mixture family, and presets of them by name."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.od.aegmm import OutlierAEGMM
    from aegmm_detect.od.aelmm import OutlierAELMM
    from aegmm_detect.od.labelled import OutlierLabelledAEGMM
    from aegmm_detect.od.presets import PRESETS, Preset, preset
    from aegmm_detect.od.som import OutlierSOMAEGMM
    from aegmm_detect.od.vaegmm import OutlierVAEGMM
    from aegmm_detect.od.vqaegmm import OutlierVQAEGMM
    from aegmm_detect.per_class.detector import PerClassAEGMM

__all__ = [
    "PRESETS",
    "OutlierAEGMM",
    "OutlierAELMM",
    "OutlierLabelledAEGMM",
    "OutlierSOMAEGMM",
    "OutlierVAEGMM",
    "OutlierVQAEGMM",
    "PerClassAEGMM",
    "Preset",
    "preset",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "PRESETS": "aegmm_detect.od.presets",
        "OutlierAEGMM": "aegmm_detect.od.aegmm",
        "OutlierAELMM": "aegmm_detect.od.aelmm",
        "OutlierLabelledAEGMM": "aegmm_detect.od.labelled",
        "OutlierSOMAEGMM": "aegmm_detect.od.som",
        "OutlierVAEGMM": "aegmm_detect.od.vaegmm",
        "OutlierVQAEGMM": "aegmm_detect.od.vqaegmm",
        "PerClassAEGMM": "aegmm_detect.per_class.detector",
        "Preset": "aegmm_detect.od.presets",
        "preset": "aegmm_detect.od.presets",
    },
)
