"""The net of a classifier for few labels: an encoder, given or new, and a softmax."""

from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError, NetTypeError
from aegmm_detect.few_labels.layers import classifier, plain_autoencoder
from aegmm_detect.few_labels.settings import FewLabelConfig
from aegmm_detect.nets.copies import net_to_train


def check_encoder(encoder: Any, config: FewLabelConfig) -> None:
    """Reject what cannot be a pre-trained encoder.

    Raises
    ------
    NetTypeError
        It is not a `keras.Model`.
    ConfigurationError
        It has no weights, or `config` describes another one.
    """
    if not isinstance(encoder, keras.Model):
        raise NetTypeError(
            f"encoder is a {type(encoder).__name__}; pass a keras.Model, or "
            "FewLabelClassifier.from_detector(detector)."
        )
    if not encoder.built:
        raise ConfigurationError(
            "encoder has no weights yet: start it with keras.Input, or train it first."
        )
    if config.hiddens is not None or config.activation is not None:
        raise ConfigurationError(
            "hiddens and activation are for an encoder that is built here: leave them out, or "
            "encoder."
        )


def new_net(
    encoder: keras.Model | None, config: FewLabelConfig, shape: tuple[int, ...], n_classes: int
) -> keras.Sequential:
    """An untrained classifier, scaled rows (N, ...) -> probabilities (N, C).

    Parameters
    ----------
    encoder
        It is copied. None: a new one with fresh weights.
    config
        Settings of the classifier.
    shape
        Of a row.
    n_classes
        C.

    Raises
    ------
    ConfigurationError
        The encoder returns no codes (N, D), or cannot be copied.
    InvalidInputError
        Rows that no encoder can be built for.
    """
    if encoder is not None:
        encoder = net_to_train("encoder", encoder, shape[-1])
        code = encoder(np.zeros((1, *shape), dtype=np.float32), training=False)
        if len(code.shape) != 2:
            raise ConfigurationError(
                f"encoder returns codes of shape {tuple(code.shape[1:])}: end it with "
                "Flatten() or Dense(latent)."
            )
    elif len(shape) != 1:
        raise InvalidInputError(
            f"X has rows of shape {shape}: the encoder that is built here takes rows (N, F). "
            "Pass an encoder for these, or use X.reshape(len(X), -1)."
        )
    else:
        own = config.own_encoder
        encoder, _ = plain_autoencoder(shape[0], own.hiddens, own.activation, config.seed)
    return classifier(encoder, shape, n_classes, config.dropout, config.l2, config.seed)
