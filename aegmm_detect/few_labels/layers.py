"""A softmax on top of an encoder, and dropout between the encoder's layers."""

import itertools
from typing import NamedTuple

import keras

from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.nets import blocks
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.codes import GaussianCode
from aegmm_detect.nets.dropout import Dropout
from aegmm_detect.types import Tensor


class Autoencoder(NamedTuple):
    """Two halves with fresh weights."""

    encoder: keras.Sequential
    decoder: keras.Sequential


def plain_autoencoder(
    n_features: int, hiddens: tuple[int, ...], activation: str, seed: int | None
) -> Autoencoder:
    """The encoder and decoder of an AEGMM of these widths: code and output are linear.

    Parameters
    ----------
    n_features
        Width of a row.
    hiddens
        Encoder widths, the code's last; the decoder mirrors them.
    activation
        Keras's name, of the hidden layers.
    seed
        Of the initial weights.
    """
    # The same nets as those of a detector, so that what pre-trains them can be compared. Their
    # density net, of the least size, is not used.
    sizes = NetSizes.of(
        n_features=n_features, comp_hiddens=hiddens, est_hiddens=(1,), comp_activation=activation
    )
    nets = blocks.build(sizes, 0, seed)
    return Autoencoder(nets.encoder, nets.decoder)


def encoder_of(net: AEGMM, row_shape: tuple[int, ...]) -> keras.Model:
    """Rows (N, *row_shape) -> codes (N, D) of a trained net, whose layers it shares.

    Of a code that is drawn, the mean; of a quantised one, the encoder's output, by which a vector
    is chosen: the vectors alone say less of a row.
    """
    if not isinstance(net.code, GaussianCode):
        return net.encoder
    inner = net.encoder.layers if isinstance(net.encoder, keras.Sequential) else [net.encoder]
    return keras.Sequential([keras.Input(row_shape, dtype="float32"), *inner, net.code.mean])


def with_dropout(encoder: keras.Model, rate: float) -> list[keras.layers.Layer]:
    """The layers of `encoder`, themselves, with dropout on the input, between them and on the code.

    Between means in front of each layer that has a kernel (dense, convolution), save the first. An
    encoder that is not a `keras.Sequential` stays one layer.

    Parameters
    ----------
    encoder
        Built net, rows (N, ...) -> codes (N, D).
    rate
        Share of units dropped; 0 for no dropout at all.
    """
    inner = encoder.layers if isinstance(encoder, keras.Sequential) else [encoder]
    if not rate:
        return list(inner)
    # Names that a user's own layers hardly have: in a Sequential, each must be another.
    dropouts = (
        Dropout(rate, name=f"pretraining_dropout_{i}", dtype="float32") for i in itertools.count()
    )
    chain: list[keras.layers.Layer] = [next(dropouts)]
    seen_weights = False
    for layer in inner:
        if seen_weights and hasattr(layer, "kernel"):
            chain.append(next(dropouts))
        chain.append(layer)
        seen_weights = seen_weights or bool(layer.weights)
    return [*chain, next(dropouts)]


def classifier(
    encoder: keras.Model,
    row_shape: tuple[int, ...],
    n_classes: int,
    dropout: float,
    l2: float,
    seed: int | None,
) -> keras.Sequential:
    """Prepared rows (N, ...) -> probabilities (N, C): encoder with dropout, then a new softmax.

    Parameters
    ----------
    encoder
        Built net, which becomes part of the classifier and is trained with it.
    row_shape
        Of the rows.
    n_classes
        Width of the softmax, the last layer.
    dropout
        See `with_dropout`.
    l2
        Weight of the sum of squares of the encoder's kernels that have no regularizer of their own.
    seed
        Of the initial weights of the softmax.
    """
    for weight in encoder.trainable_variables:
        if l2 and weight.name == "kernel" and weight.regularizer is None:
            weight.regularizer = keras.regularizers.L2(l2)
    init = keras.initializers.GlorotUniform(seed)
    softmax = keras.layers.Dense(
        n_classes, "softmax", kernel_initializer=init, name="class_softmax", dtype="float32"
    )
    inputs = keras.Input(row_shape, dtype="float32")
    return keras.Sequential([inputs, *with_dropout(encoder, dropout), softmax])


def freeze_encoder(net: keras.Sequential, frozen: bool) -> None:
    """Let training change the last layer alone, or all layers."""
    for layer in net.layers[:-1]:
        layer.trainable = not frozen


def stochastic_pass(net: keras.Sequential, x: Tensor) -> Tensor:
    """`net` of `x` with dropout on, and all else as in prediction (batch statistics stay fixed)."""
    for layer in net.layers:
        x = layer(x, training=True) if isinstance(layer, keras.layers.Dropout) else layer(x)
    return x
