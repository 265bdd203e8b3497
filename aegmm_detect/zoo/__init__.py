"""Around the detectors: presets by name, pre-training, and classifiers that start from it."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.few_labels.classifier import FewLabelClassifier
    from aegmm_detect.few_labels.pretraining import Pretrained, fit_autoencoder
    from aegmm_detect.od.presets import PRESETS, Preset, preset

__all__ = [
    "PRESETS",
    "FewLabelClassifier",
    "Preset",
    "Pretrained",
    "fit_autoencoder",
    "preset",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "PRESETS": "aegmm_detect.od.presets",
        "FewLabelClassifier": "aegmm_detect.few_labels.classifier",
        "Preset": "aegmm_detect.od.presets",
        "Pretrained": "aegmm_detect.few_labels.pretraining",
        "fit_autoencoder": "aegmm_detect.few_labels.pretraining",
        "preset": "aegmm_detect.od.presets",
    },
)
