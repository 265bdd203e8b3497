"""A softmax on an encoder: what is new, what is shared, what is frozen."""

import keras
import numpy as np
import pytest

from aegmm_detect.few_labels.layers import (
    classifier,
    freeze_encoder,
    plain_autoencoder,
    stochastic_pass,
    with_dropout,
)

X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")


@pytest.fixture
def encoder():
    return plain_autoencoder(6, (8, 4, 2), "elu", seed=0).encoder


def test_the_decoder_mirrors_the_encoder():
    encoder, decoder = plain_autoencoder(6, (8, 4, 2), "elu", seed=0)
    shapes = [layer.kernel.shape for layer in encoder.layers]
    assert shapes == [(6, 8), (8, 4), (4, 2)]
    assert [layer.kernel.shape[::-1] for layer in reversed(decoder.layers)] == shapes
    assert decoder(encoder(X)).shape == X.shape


def test_probabilities_are_the_softmax_of_the_codes(encoder):
    codes = keras.ops.convert_to_numpy(encoder(X))
    net = classifier(encoder, (6,), 3, 0.2, 0.0, seed=1)
    kernel, bias = net.layers[-1].get_weights()
    want = keras.ops.softmax(codes @ kernel + bias)
    np.testing.assert_allclose(net(X, training=False), want, rtol=1e-5)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_dropout_is_on_input_code_and_between_the_kernels(encoder, rate):
    chain = with_dropout(encoder, rate)
    dropouts = [i for i, layer in enumerate(chain) if isinstance(layer, keras.layers.Dropout)]
    assert dropouts == ([0, 2, 4, 6] if rate else [])
    assert all(chain[i].rate == rate for i in dropouts)


def test_the_penalty_is_the_sum_of_squared_kernels_of_the_encoder(encoder):
    net = classifier(encoder, (6,), 3, 0.0, 0.01, seed=1)
    want = 0.01 * sum(np.square(layer.kernel).sum() for layer in encoder.layers)
    np.testing.assert_allclose(sum(map(float, net.losses)), want, rtol=1e-5)


def test_frozen_only_the_softmax_learns(encoder):
    net = classifier(encoder, (6,), 3, 0.0, 0.0, seed=1)
    freeze_encoder(net, True)
    assert net.trainable_variables == net.layers[-1].trainable_variables
    freeze_encoder(net, False)
    assert len(net.trainable_variables) == 8


def test_stochastic_passes_differ_and_keep_batch_statistics():
    encoder = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(4), keras.layers.BatchNormalization()]
    )
    net = classifier(encoder, (6,), 3, 0.5, 0.0, seed=1)
    before = encoder.get_weights()
    first, second = (np.asarray(stochastic_pass(net, X)) for _ in range(2))
    assert not np.allclose(first, second)
    for weight, former in zip(encoder.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, former)
