"""Fit a classifier to labelled rows: the softmax alone, then all layers."""

from collections.abc import Sequence
from typing import Any

import keras
from sklearn.preprocessing import LabelEncoder

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.few_labels.fitted import FittedClassifier
from aegmm_detect.few_labels.labels import checked_labels
from aegmm_detect.few_labels.layers import freeze_encoder
from aegmm_detect.few_labels.net import new_net
from aegmm_detect.few_labels.objectives import cross_entropy, training_rows
from aegmm_detect.few_labels.rows import held_out, read_rows, standard_scaling
from aegmm_detect.few_labels.settings import FewLabelConfig
from aegmm_detect.few_labels.start import Start
from aegmm_detect.few_labels.training import fit_stage
from aegmm_detect.training.callback_checks import checked_callbacks


def fit_classifier(
    start: Start,
    config: FewLabelConfig,
    X: Any,
    y: Any,
    verbose: bool | int | str,
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None,
) -> tuple[FittedClassifier, keras.callbacks.History]:
    """A new classifier, and Keras's `History` of both stages.

    Parameters
    ----------
    start
        What the classifier starts from. It stays as it is.
    config
        Settings of the classifier.
    X, y, verbose, callbacks
        As `FewLabelClassifier.fit` takes them.

    Raises
    ------
    InvalidInputError, ConfigurationError, NonFiniteLossError
        As `FewLabelClassifier.fit` says.
    """
    listening = checked_callbacks(callbacks)
    array, names = read_rows(X, start.row_shape, start.names)
    encoder = LabelEncoder()
    numbers = encoder.fit_transform(checked_labels(y, len(array))).astype("int32")
    if len(encoder.classes_) < 2:
        raise InvalidInputError("y holds one class: pass rows of at least two.")
    train, validation = held_out(len(array), config.validation_split, config.seed, numbers)
    normalizer = start.normalizer or standard_scaling(array[train])
    net = new_net(start.encoder, config, array.shape[1:], len(encoder.classes_))
    rows = training_rows(
        (normalizer.transform(array[train]), normalizer.transform(array[validation])),
        (numbers[train], numbers[validation]),
        config.batch_size,
    )
    history = None
    if config.frozen_epochs:
        freeze_encoder(net, True)
        history = fit_stage(
            net,
            cross_entropy(rows),
            rows,
            config.stage(config.frozen_epochs),
            patience=None,
            verbose=verbose,
            callbacks=listening,
        )
    freeze_encoder(net, False)
    history = fit_stage(
        net,
        cross_entropy(rows),
        rows,
        config.stage(config.epochs),
        patience=config.patience,
        verbose=verbose,
        callbacks=listening,
        earlier=history,
    )
    return FittedClassifier(net, normalizer, encoder.classes_, array.shape[1:], names), history
