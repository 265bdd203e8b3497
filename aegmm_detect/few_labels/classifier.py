"""Classify with few labels: an encoder that learned from unlabelled rows, and a softmax on it."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np

from aegmm_detect.exceptions import NotFittedError
from aegmm_detect.few_labels.fitted import FittedClassifier, checked_passes
from aegmm_detect.few_labels.fitting import fit_classifier
from aegmm_detect.few_labels.labels import accuracy
from aegmm_detect.few_labels.net import check_encoder
from aegmm_detect.few_labels.settings import FewLabelConfig
from aegmm_detect.few_labels.start import Start, start_from
from aegmm_detect.nets.copies import net_to_train
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE
from aegmm_detect.types import Array, FloatArray


class FewLabelClassifier:
    """Classifier whose encoder is pre-trained without labels, as in the S-DAGMM project.

    A softmax of the codes gives the probabilities of the classes. `fit` trains in two stages. The
    first trains the softmax alone, so that its random first gradients do not spoil the encoder.
    The second trains all layers until the validation loss stops falling. The optimizer is Nadam,
    the loss is the cross-entropy plus a squared penalty on the encoder's kernels. Dropout is on the
    input, between the encoder's layers and on the code.

    Parameters
    ----------
    encoder
        Built `keras.Model`, scaled rows (N, ...) -> codes (N, D). It is copied and never changed.
        Dropout goes between the layers of a `keras.Sequential`; other models have it on input and
        code only. Default None: a new encoder with fresh weights, for a comparison.
    normalizer
        Scaling that `encoder` was trained with, such as that of `fit_autoencoder`. Default None:
        'standard', learned from the labelled rows.
    **settings
        `dropout` (.1, of inputs and units), `l2` (1e-4), `frozen_epochs` (10, of the first stage;
        0 skips it, which suits an encoder that is not trained), `epochs` (at most 100, of the
        second), `patience` (5 epochs of the second stage without a better validation loss; the
        best weights come back; None for all epochs), `validation_split` (.2 of the labelled rows,
        stratified), `batch_size` (32), `learning_rate` (1e-3), `seed` (None: different every
        time). `hiddens` ((100, 50, 20), the code's width last) and `activation` ('elu') are for
        the encoder that is built if you pass none. Widths, penalty, stages, patience and split are
        the project's. Batch size and learning rate are Keras's own. Dropout is our choice: the
        project's published run had none.

    Raises
    ------
    NetTypeError
        `encoder` is not a `keras.Model`.
    ConfigurationError
        A setting does not fit, or the encoder cannot be copied.
    """

    def __init__(
        self,
        encoder: keras.Model | None = None,
        *,
        normalizer: Normalizer | None = None,
        **settings: Any,
    ) -> None:
        self.config = FewLabelConfig.of(**settings)
        if encoder is not None:
            check_encoder(encoder, self.config)
            # Copied now as well as in `fit`: you may go on training the model that you passed.
            encoder = net_to_train("encoder", encoder, 0)
        self._start = Start(encoder, normalizer)
        self._fitted: FittedClassifier | None = None

    @classmethod
    def from_detector(cls, detector: MixtureDetector, **settings: Any) -> Self:
        """Start from the encoder of a fitted detector and the scaling that it has learned.

        The encoder of an ensemble is that of its first net. A variational code counts by its mean,
        a quantised one by the vector that chooses the code.

        Parameters
        ----------
        detector
            `OutlierAEGMM`, or a relative, fitted to unlabelled rows of all classes that are to be
            told apart. It is copied and never changed.
        **settings
            As for the constructor.

        Raises
        ------
        NotFittedError
            The detector is not fitted.
        ConfigurationError
            It is not such a detector or has no encoder, or a setting does not fit.
        """
        found = start_from(detector)
        made = cls(found.encoder, normalizer=found.normalizer, **settings)
        made._start = dataclasses.replace(made._start, names=found.names)
        return made

    @property
    def classes_(self) -> Array:
        """The labels that `fit` saw, sorted, (C,): of the columns of `predict_proba`."""
        return self._require_fitted("classes_").classes

    @property
    def net(self) -> keras.Sequential:
        """Trained model, scaled rows (N, ...) -> probabilities (N, C).

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        return self._require_fitted("net").net

    @property
    def normalizer(self) -> Normalizer:
        """Scaling of the rows.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        return self._require_fitted("normalizer").normalizer

    def fit(
        self,
        X: Any,
        y: Any,
        verbose: bool | int | str = True,
        callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
    ) -> keras.callbacks.History:
        """Train on labelled rows, starting from the encoder's pre-trained weights.

        Every call starts anew. If it fails, the classifier stays as it was.

        Parameters
        ----------
        X
            Labelled rows, shape (N, ...): anything that a detector's `fit` takes. Streams are read
            into memory.
        y
            Class of each row, (N,): whole numbers, text or booleans, of at least two classes. If a
            class has a single row, that row is used for training and not for validation.
        verbose
            Keras's.
        callbacks
            Keras's. They see two trainings, whose epochs are counted through.

        Returns
        -------
        Keras's `History` of both stages: loss, accuracy, val_loss and val_accuracy by epoch. With
        penalties, regularization and val_regularization are their part of the losses.

        Raises
        ------
        InvalidInputError
            Rows or labels that cannot be trained on.
        ConfigurationError
            Too few rows for `validation_split`, an encoder that returns no codes (N, D), or
            callbacks that cannot do their work here.
        NonFiniteLossError
            Training met NaN or infinity.
        """
        self._fitted, history = fit_classifier(self._start, self.config, X, y, verbose, callbacks)
        return history

    def predict_proba(
        self, X: Any, monte_carlo: int = 0, batch_size: int = DEFAULT_BATCH_SIZE
    ) -> FloatArray:
        """Probabilities of the classes.

        Parameters
        ----------
        X
            Rows, shape (N, ...), with the columns that `fit` saw. N may be 0.
        monte_carlo
            Number of passes with dropout, whose mean is returned (Gal and Ghahramani, ICML 2016).
            With a seed, the same call gives the same numbers; which units are dropped depends on a
            row's place and on `batch_size`. Default 0: one pass without dropout.
        batch_size
            Rows per pass over arrays. It decides about memory only, while `monte_carlo` is 0.

        Returns
        -------
        Shape (N, C), float64, rows sum to 1; columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ConfigurationError
            `monte_carlo` is negative or, with ``dropout=0``, not 0: all passes would be the same.
        InvalidInputError
            Other columns or shapes than at `fit`; rows with NaN or infinity.
        """
        fitted = self._require_fitted("predict_proba()")
        passes = checked_passes(monte_carlo, self.config.dropout)
        if passes:
            return fitted.mean_probabilities(X, batch_size, passes, self.config.seed)
        return fitted.probabilities(X, batch_size)

    def predict(self, X: Any, monte_carlo: int = 0) -> Array:
        """The most probable class of each row, (N,), as it was in `y`.

        Parameters and errors are those of `predict_proba`.
        """
        probabilities = self.predict_proba(X, monte_carlo)
        return self.classes_[np.argmax(probabilities, axis=1)]

    def score(self, X: Any, y: Any, monte_carlo: int = 0) -> float:
        """Accuracy: share of the rows whose most probable class is `y` (N,).

        Other parameters and errors are those of `predict_proba`.

        Raises
        ------
        InvalidInputError
            There is not one label per row, of the type that `fit` saw, or there are no rows.
        """
        return accuracy(self.predict(X, monte_carlo), y)

    def __repr__(self) -> str:
        start = "fresh" if self._start.encoder is None else "pre-trained"
        state = "fitted" if self._fitted is not None else "not fitted"
        return f"{type(self).__name__}({start} encoder, {state})"

    def _require_fitted(self, what: str) -> FittedClassifier:
        if self._fitted is None:
            name = type(self).__name__
            raise NotFittedError(f"{name} has no {what} before fit(): call {name}.fit(X, y).")
        return self._fitted
