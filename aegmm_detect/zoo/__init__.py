"""A room for models to compare detectors with; what was here before has moved.

Presets are in `aegmm_detect.od`, the classifier for few labels and its pre-training in
`aegmm_detect.few_labels`. Their names work here with a `DeprecationWarning`, until 0.3.
"""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.few_labels import FewLabelClassifier, Pretrained, fit_autoencoder
    from aegmm_detect.od import PRESETS, Preset, preset

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
    {},
    moved={
        "PRESETS": "aegmm_detect.od",
        "FewLabelClassifier": "aegmm_detect.few_labels",
        "Preset": "aegmm_detect.od",
        "Pretrained": "aegmm_detect.few_labels",
        "fit_autoencoder": "aegmm_detect.few_labels",
        "preset": "aegmm_detect.od",
    },
)
