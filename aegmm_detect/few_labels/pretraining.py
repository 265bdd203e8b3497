"""Pre-training without labels by a plain autoencoder."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from aegmm_detect.exceptions import InvalidInputError
from aegmm_detect.few_labels.layers import plain_autoencoder, with_dropout
from aegmm_detect.few_labels.objectives import squared_error, training_rows
from aegmm_detect.few_labels.rows import held_out, read_rows, standard_scaling
from aegmm_detect.few_labels.settings import AutoencoderConfig
from aegmm_detect.few_labels.training import fit_stage
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.training.callback_checks import checked_callbacks


class Pretrained(NamedTuple):
    """What `fit_autoencoder` has trained."""

    encoder: keras.Sequential  # scaled rows (N, F) -> codes (N, D), without dropout
    normalizer: Normalizer  # rows -> scaled rows
    history: keras.callbacks.History


def fit_autoencoder(
    X: Any,
    hiddens: Sequence[int] = (100, 50, 20),
    *,
    verbose: bool | int | str = True,
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None = None,
    **settings: Any,
) -> Pretrained:
    """Train an autoencoder on unlabelled rows and return its encoder.

    Rows are standardised. Dropout is on the input and after every layer of the encoder, which
    learns to fill in what was dropped (Vincent et al., JMLR 2010, masking noise). The loss is the
    mean squared error, the optimizer Nadam. The nets are those of `OutlierAEGMM.from_sizes`.

    Parameters
    ----------
    X
        Rows, shape (N, F), N >= 2: anything that a detector's `fit` takes. Streams are read into
        memory.
    hiddens
        Encoder widths, the code's last; the decoder mirrors them. Default (100, 50, 20), those of
        the S-DAGMM project's pre-training. Code and output are linear.
    verbose, callbacks
        Keras's own.
    **settings
        `activation` ('elu'), `dropout` (.1), `epochs` (at most 100), `patience` (5 epochs without
        a better validation loss; None for all epochs), `validation_split` (.2 of the rows, drawn
        at random; the scaling is learned from the others), `batch_size` (256), `learning_rate`
        (1e-3) and `seed` (None: different every time).

    Returns
    -------
    The encoder with the weights of the best epoch, the scaling in front of it, and Keras's
    `History`: loss and val_loss by epoch.

    Raises
    ------
    ConfigurationError
        A setting or a callback does not fit.
    InvalidInputError
        Rows that cannot be trained on.
    NonFiniteLossError
        Training met NaN or infinity.
    """
    config = AutoencoderConfig.of(hiddens=tuple(hiddens), **settings)
    listening = checked_callbacks(callbacks)
    array, _ = read_rows(X)
    if array.ndim != 2:
        raise InvalidInputError(
            f"X has shape {array.shape}: a plain autoencoder takes rows (N, F). Use "
            "X.reshape(len(X), -1), or pre-train by an OutlierAEGMM with nets of your own."
        )
    train, validation = held_out(len(array), config.validation_split, config.seed)
    normalizer = standard_scaling(array[train])
    encoder, decoder = plain_autoencoder(
        array.shape[1], config.hiddens, config.activation, config.seed
    )
    inputs = keras.Input(array.shape[1:], dtype="float32")
    net = keras.Sequential([inputs, *with_dropout(encoder, config.dropout), decoder])
    x = (normalizer.transform(array[train]), normalizer.transform(array[validation]))
    rows = training_rows(x, None, config.batch_size)
    history = fit_stage(
        net,
        squared_error(rows),
        rows,
        config.stage(config.epochs),
        patience=config.patience,
        verbose=verbose,
        callbacks=listening,
    )
    return Pretrained(encoder, normalizer, history)
