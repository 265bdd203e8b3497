"""What a classifier starts from: an encoder, its scaling and its columns."""

import dataclasses
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.few_labels.layers import encoder_of
from aegmm_detect.nets import checks
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.od.mixture import MixtureDetector


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """What is known before the first labelled row. None stands for what `fit` has to make."""

    encoder: keras.Model | None = None  # scaled rows -> codes
    normalizer: Normalizer | None = None  # rows -> scaled rows
    names: tuple[str, ...] | None = None  # of the columns, where the rows came in a data frame

    @property
    def row_shape(self) -> tuple[int, ...] | None:
        """Of a row, where it is known."""
        if self.normalizer is not None:
            return self.normalizer.offset.shape
        return None if self.encoder is None else checks.row_shape(self.encoder)


def start_from(detector: Any) -> Start:
    """The encoder of a fitted detector, which shares the detector's layers, and its scaling.

    Raises
    ------
    NotFittedError
        The detector is not fitted.
    ConfigurationError
        It is no mixture detector, or has no encoder.
    """
    if not isinstance(detector, MixtureDetector):
        raise ConfigurationError(
            f"detector is a {type(detector).__name__}: pass an OutlierAEGMM (of an "
            "AEGMMEstimator, its detector_), or FewLabelClassifier(encoder) for a net."
        )
    net, state = detector.members[0].net, detector.state
    assert state is not None  # `members` asks for a fitted detector
    if not isinstance(net, AEGMM):
        raise ConfigurationError(
            "This detector was made with aegmm=, a net without parts: pass its encoder, "
            "FewLabelClassifier(encoder, normalizer=detector.state.normalizer)."
        )
    normalizer = state.normalizer
    if normalizer is None:  # the encoder knows rows as they are, so `fit` must not scale them
        normalizer = Normalizer(np.zeros(state.row_shape), np.ones(state.row_shape))
    return Start(encoder_of(net, state.row_shape), normalizer, state.names)
