"""Classify with few labels: pre-training without labels, and a classifier that starts from it."""

from typing import TYPE_CHECKING

from aegmm_detect._lazy import lazy_names

if TYPE_CHECKING:
    from aegmm_detect.few_labels.classifier import FewLabelClassifier
    from aegmm_detect.few_labels.pretraining import Pretrained, fit_autoencoder

__all__ = ["FewLabelClassifier", "Pretrained", "fit_autoencoder"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FewLabelClassifier": "aegmm_detect.few_labels.classifier",
        "Pretrained": "aegmm_detect.few_labels.pretraining",
        "fit_autoencoder": "aegmm_detect.few_labels.pretraining",
    },
)
