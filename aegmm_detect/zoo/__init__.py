"""Around the detectors: presets by name, pre-training, and classifiers that start from it."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.od.presets import PRESETS, Preset, preset
    from aegmm_detect.zoo.autoencoder import Pretrained, fit_autoencoder
    from aegmm_detect.zoo.few_labels import FewLabelClassifier

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
        "FewLabelClassifier": "aegmm_detect.zoo.few_labels",
        "Preset": "aegmm_detect.od.presets",
        "Pretrained": "aegmm_detect.zoo.autoencoder",
        "fit_autoencoder": "aegmm_detect.zoo.autoencoder",
        "preset": "aegmm_detect.od.presets",
    },
)
