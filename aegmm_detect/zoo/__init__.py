"""Relatives of the detectors: pre-training, and classifiers that start from it."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.zoo.autoencoder import Pretrained, fit_autoencoder
    from aegmm_detect.zoo.few_labels import FewLabelClassifier

__all__ = ["FewLabelClassifier", "Pretrained", "fit_autoencoder"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FewLabelClassifier": "aegmm_detect.zoo.few_labels",
        "Pretrained": "aegmm_detect.zoo.autoencoder",
        "fit_autoencoder": "aegmm_detect.zoo.autoencoder",
    },
)
