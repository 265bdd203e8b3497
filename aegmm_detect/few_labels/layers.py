"""A softmax on top of an encoder, and dropout between the encoder's layers."""

import itertools
from typing import NamedTuple

import keras
from keras import ops

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
    """A new encoder and decoder of these widths, as an AEGMM has them: code and output are linear.

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
    # The same nets as a detector has, so that ways to pre-train them can be compared. The density
    # net is not used, so it has the least size.
    sizes = NetSizes.of(
        n_features=n_features, comp_hiddens=hiddens, est_hiddens=(1,), comp_activation=activation
    )
    nets = blocks.build(sizes, 0, seed)
    return Autoencoder(nets.encoder, nets.decoder)


def encoder_of(net: AEGMM, row_shape: tuple[int, ...]) -> keras.Model:
    """Encoder of a trained net, rows (N, *row_shape) -> codes (N, D). It shares the net's layers.

    Codes that are drawn count by their mean. For quantised codes it returns what chooses the code
    vector, which says more about a row than the few vectors do.
    """
    if not isinstance(net.code, GaussianCode):
        return net.encoder
    inner = net.encoder.layers if isinstance(net.encoder, keras.Sequential) else [net.encoder]
    return keras.Sequential([keras.Input(row_shape, dtype="float32"), *inner, net.code.mean])


def with_dropout(encoder: keras.Model, rate: float) -> list[keras.layers.Layer]:
    """The layers of `encoder`, themselves, with dropout on the input, between them and on the code.

    "Between" is in front of each layer that has a kernel (dense, convolution), except the first.
    An encoder that is not a `keras.Sequential` stays one layer.

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
    # Names in a Sequential must differ, and a user's own layers hardly have these.
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
        Weight of a penalty, the sum of squares of the encoder's kernels. Kernels that have a
        regularizer already keep it instead.
    seed
        Of the initial weights of the softmax.
    """
    if l2:
        _penalise_kernels(encoder, keras.regularizers.L2(l2))
    init = keras.initializers.GlorotUniform(seed)
    softmax = keras.layers.Dense(
        n_classes, "softmax", kernel_initializer=init, name="class_softmax", dtype="float32"
    )
    inputs = keras.Input(row_shape, dtype="float32")
    return keras.Sequential([inputs, *with_dropout(encoder, dropout), softmax])


def _penalise_kernels(encoder: keras.Model, penalty: keras.regularizers.Regularizer) -> None:
    """Give `penalty` to the kernels that have none."""
    penalised = set()
    for weight in encoder.trainable_variables:
        if weight.name == "kernel" and weight.regularizer is None:
            weight.regularizer = penalty
            penalised.add(id(weight))
    # In the configuration, too: by that, fits know which nets are alike, and copy them.
    for layer in encoder._flatten_layers():
        if id(getattr(layer, "kernel", None)) in penalised and hasattr(layer, "kernel_regularizer"):
            layer.kernel_regularizer = penalty


def freeze_encoder(net: keras.Sequential, frozen: bool) -> None:
    """Let training change the last layer alone, or all layers."""
    for layer in net.layers[:-1]:
        layer.trainable = not frozen


def stochastic_pass(net: keras.Sequential, x: Tensor, n_before: Tensor | int = 0) -> Tensor:
    """`net` of `x` with dropout on, and all else as in prediction (batch statistics stay fixed).

    Parameters
    ----------
    net
        Its layers are called one by one.
    x
        Scaled rows.
    n_before
        Passes to skip: the random numbers are those of the pass that follows so many others.
    """
    for layer in net.layers:
        if isinstance(layer, keras.layers.Dropout):
            for state in layer.variables:
                if state.path.endswith("seed_generator_state"):  # (seed, how many were drawn)
                    state.assign_add(ops.stack([0, ops.cast(n_before, state.dtype)]))
            x = layer(x, training=True)
        else:
            x = layer(x)
    return x
