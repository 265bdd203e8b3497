"""Around the detectors: presets by name, pre-training, and classifiers that start from it."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.zoo.autoencoder import Pretrained, fit_autoencoder
    from aegmm_detect.zoo.few_labels import FewLabelClassifier
    from aegmm_detect.zoo.presets import PRESETS, Preset, preset

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
        "PRESETS": "aegmm_detect.zoo.presets",
        "FewLabelClassifier": "aegmm_detect.zoo.few_labels",
        "Preset": "aegmm_detect.zoo.presets",
        "Pretrained": "aegmm_detect.zoo.autoencoder",
        "fit_autoencoder": "aegmm_detect.zoo.autoencoder",
        "preset": "aegmm_detect.zoo.presets",
    },
)
