"""Classify with few labels: an encoder that learned from unlabelled rows, and a softmax on it."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelEncoder

from aegmm_detect.exceptions import (
    ConfigurationError,
    InvalidInputError,
    NotFittedError,
)
from aegmm_detect.few_labels.fitted import FittedClassifier
from aegmm_detect.few_labels.labels import are_numbers, checked_labels
from aegmm_detect.few_labels.layers import encoder_of, freeze_encoder
from aegmm_detect.few_labels.net import check_encoder, new_net
from aegmm_detect.few_labels.rows import (
    held_out,
    read_rows,
    standard_scaling,
)
from aegmm_detect.few_labels.settings import FewLabelConfig
from aegmm_detect.few_labels.training import Targets, fit_to_targets
from aegmm_detect.nets import checks
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.copies import net_to_train
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.od.mixture import MixtureDetector
from aegmm_detect.scoring_loop import DEFAULT_BATCH_SIZE
from aegmm_detect.training.callback_checks import checked_callbacks
from aegmm_detect.training.seeding import seed_random_layers
from aegmm_detect.types import Array, FloatArray


class FewLabelClassifier:
    """Classifier whose encoder is pre-trained without labels, as in the S-DAGMM project.

    A softmax of the codes gives the probabilities of the classes. `fit` trains in two stages: the
    softmax alone, so that its first, random gradients do not spoil the encoder; then all layers,
    until the validation loss has stopped to fall. Nadam on the cross-entropy; dropout on the
    input, between the encoder's layers and on the code; a squared penalty on its kernels.

    Parameters
    ----------
    encoder
        Built `keras.Model`, scaled rows (N, ...) -> codes (N, D). Copied, never changed. Dropout
        goes between the layers of a `keras.Sequential`; another net has it on input and code only.
        Default None: a new encoder with fresh weights, for a comparison.
    normalizer
        Scaling that `encoder` was trained with, such as that of `fit_autoencoder`. Default None:
        'standard', learned from the labelled rows.
    **settings
        `dropout` (.1, of inputs and units), `l2` (1e-4), `frozen_epochs` (10, of the first stage;
        0 leaves it out, which suits an encoder that is not trained), `epochs` (at most 100, of the
        second), `patience` (5 epochs of the second stage without a better validation loss; the
        best weights come back; None for all epochs), `validation_split` (.2 of the labelled rows,
        stratified), `batch_size` (32), `learning_rate` (1e-3), `seed` (None: different every
        time). `hiddens` ((100, 50, 20), the code's width last) and `activation` ('elu') are for
        the encoder that is built where none is given. Widths, penalty, stages, patience and split
        are the project's; batch size and learning rate are Keras's own, dropout our choice (the
        project's published run had none).

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
            # Now, too: training may go on, of the net that was given.
            encoder = net_to_train("encoder", encoder, 0)
        self._encoder = encoder
        self._normalizer = normalizer
        self._names: tuple[str, ...] | None = None
        self._fitted: FittedClassifier | None = None

    @classmethod
    def from_detector(cls, detector: MixtureDetector, **settings: Any) -> Self:
        """Start from the encoder of a fitted detector and the scaling that it has learned.

        Of an ensemble, the first net is taken; of a variational code, the mean; of a quantised one,
        the vector that chooses it.

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
        if normalizer is None:  # rows as they are: nothing is to be learned in its place
            normalizer = Normalizer(np.zeros(state.row_shape), np.ones(state.row_shape))
        made = cls(encoder_of(net, state.row_shape), normalizer=normalizer, **settings)
        made._names = state.names
        return made

    @property
    def classes_(self) -> Array:
        """The labels that `fit` saw, sorted, (C,): of the columns of `predict_proba`."""
        return self._require_fitted("classes_").classes

    @property
    def net(self) -> keras.Sequential:
        """Scaled rows (N, ...) -> probabilities (N, C), trained.

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
        """Train on labelled rows, from the encoder's pre-trained weights on.

        Parameters
        ----------
        X
            Labelled rows, shape (N, ...): anything that a detector's `fit` takes. Streams are read
            into memory.
        y
            Class of each row, (N,): whole numbers, text or booleans, of at least two classes. The
            only row of a class is trained on and not validated on.
        verbose
            Keras's.
        callbacks
            Keras's; each stage is a training of its own to them.

        Returns
        -------
        Keras's `History` of both stages: loss, accuracy, val_loss and val_accuracy by epoch.

        Raises
        ------
        InvalidInputError
            Rows or labels that cannot be trained on.
        ConfigurationError
            Too few rows for `validation_split`, or an encoder that returns no codes (N, D).
        NonFiniteLossError
            Training met NaN or infinity.
        """
        config, listening = self.config, checked_callbacks(callbacks)
        array, names = read_rows(X, self._row_shape(), self._names)
        labels = LabelEncoder()
        classes = labels.fit_transform(checked_labels(y, len(array)))
        if len(labels.classes_) < 2:
            raise InvalidInputError("y holds one class: pass rows of at least two.")
        train, validation = held_out(len(array), config.validation_split, config.seed, classes)
        normalizer = self._normalizer or standard_scaling(array[train])
        net = new_net(self._encoder, self.config, array.shape[1:], len(labels.classes_))
        self._fitted = None
        history = keras.callbacks.History()
        stages = ((True, config.frozen_epochs, None), (False, config.epochs, config.patience))
        for frozen, epochs, patience in stages[0 if config.frozen_epochs else 1 :]:
            freeze_encoder(net, frozen)
            fit_to_targets(
                net,
                Targets(normalizer.transform(array[train]), classes[train]),
                Targets(normalizer.transform(array[validation]), classes[validation]),
                "sparse_categorical_crossentropy",
                config,
                metrics=["accuracy"],
                epochs=epochs,
                patience=patience,
                history=history,
                verbose=verbose,
                callbacks=listening,
            )
        self._fitted = FittedClassifier(net, normalizer, labels.classes_, array.shape[1:], names)
        return history

    def predict_proba(
        self, X: Any, monte_carlo: int = 0, batch_size: int = DEFAULT_BATCH_SIZE
    ) -> FloatArray:
        """Probabilities of the classes.

        Parameters
        ----------
        X
            Rows, shape (N, ...), of the columns that `fit` saw. N may be 0.
        monte_carlo
            Passes with dropout on, whose mean is returned (Gal and Ghahramani, ICML 2016). With a
            seed, the same call gives the same numbers; the units that are dropped go with a row's
            place and `batch_size`. Default 0: one pass without dropout.
        batch_size
            Rows per pass over arrays: memory only, while `monte_carlo` is 0.

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
        passes = self._checked_passes(monte_carlo)
        if passes and self.config.seed is not None:
            seed_random_layers(fitted.net, self.config.seed)
        return fitted.probabilities(X, passes, batch_size)

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
        found = self.predict(X, monte_carlo)
        labels = checked_labels(y, len(found))
        if not len(found):
            raise InvalidInputError("X holds no rows: pass those of which to measure the accuracy.")
        if are_numbers(labels) != are_numbers(found):
            raise InvalidInputError(
                f"y holds {labels.dtype} labels, and those that fit saw are {found.dtype}: pass "
                "labels of that type."
            )
        return float(accuracy_score(labels, found))

    def __repr__(self) -> str:
        start = "fresh" if self._encoder is None else "pre-trained"
        state = "fitted" if self._fitted is not None else "not fitted"
        return f"{type(self).__name__}({start} encoder, {state})"

    def _row_shape(self) -> tuple[int, ...] | None:
        """Of the rows that fit, where it is known."""
        if self._normalizer is not None:
            return self._normalizer.offset.shape
        return None if self._encoder is None else checks.row_shape(self._encoder)

    def _checked_passes(self, monte_carlo: Any) -> int:
        whole = isinstance(monte_carlo, (int, np.integer)) and not isinstance(monte_carlo, bool)
        if not whole or monte_carlo < 0:
            raise ConfigurationError(
                f"monte_carlo={monte_carlo!r}: pass a whole number of passes, 0 for none."
            )
        if monte_carlo and not self.config.dropout:
            raise ConfigurationError(
                f"monte_carlo={monte_carlo} passes would all be the same with dropout=0: leave "
                "monte_carlo out, or fit a classifier with dropout."
            )
        return int(monte_carlo)

    def _require_fitted(self, what: str) -> FittedClassifier:
        if self._fitted is None:
            name = type(self).__name__
            raise NotFittedError(f"{name} has no {what} before fit(): call {name}.fit(X, y).")
        return self._fitted
