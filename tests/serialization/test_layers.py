"""Every listed layer comes back with its weights, its state and its outputs."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization import allow_list
from aegmm_detect.serialization.nets import deserialize_net, serialize_net

ROW, SERIES, IMAGE, VOLUME = (6,), (8, 4), (8, 8, 4), (4, 4, 4, 2)


def adapted():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(1).normal(3.0, 2.0, size=(50, 6)))
    return layer


# Shape of a row, and how the layer is made.
MADE = {
    "Activation": (ROW, lambda: layers.Activation("tanh")),
    "ActivityRegularization": (ROW, lambda: layers.ActivityRegularization(0.1)),
    "Dense": (ROW, lambda: layers.Dense(3, "relu", kernel_regularizer="l2")),
    "EinsumDense": (SERIES, lambda: layers.EinsumDense("abc,cd->abd", (8, 3))),
    "Embedding": (ROW, lambda: layers.Embedding(9, 2)),
    "CategoryEncoding": (ROW, lambda: layers.CategoryEncoding(9, output_mode="multi_hot")),
    "Normalization": (ROW, adapted),
    "SpectralNormalization": (ROW, lambda: layers.SpectralNormalization(layers.Dense(3))),
    "GroupNormalization": (ROW, lambda: layers.GroupNormalization(2)),
    "Dropout": (ROW, lambda: layers.Dropout(0.5)),
    "AlphaDropout": (ROW, lambda: layers.AlphaDropout(0.5)),
    "GaussianDropout": (ROW, lambda: layers.GaussianDropout(0.5)),
    "GaussianNoise": (ROW, lambda: layers.GaussianNoise(0.5)),
    "RepeatVector": (ROW, lambda: layers.RepeatVector(3)),
    "Permute": (SERIES, lambda: layers.Permute((2, 1))),
    "Reshape": (ROW, lambda: layers.Reshape((3, 2))),
    "Rescaling": (ROW, lambda: layers.Rescaling(2.0, 1.0)),
    "Resizing": (IMAGE, lambda: layers.Resizing(4, 4)),
    "CenterCrop": (IMAGE, lambda: layers.CenterCrop(4, 4)),
    "RandomBrightness": (IMAGE, lambda: layers.RandomBrightness(0.1)),
    "RandomContrast": (IMAGE, lambda: layers.RandomContrast(0.1)),
    "RandomCrop": (IMAGE, lambda: layers.RandomCrop(4, 4)),
    "RandomFlip": (IMAGE, lambda: layers.RandomFlip()),
    "RandomRotation": (IMAGE, lambda: layers.RandomRotation(0.1)),
    "RandomTranslation": (IMAGE, lambda: layers.RandomTranslation(0.1, 0.1)),
    "RandomZoom": (IMAGE, lambda: layers.RandomZoom(0.1)),
    "ConvLSTM1D": ((3, 8, 2), lambda: layers.ConvLSTM1D(2, 3)),
    "ConvLSTM2D": ((2, 4, 4, 2), lambda: layers.ConvLSTM2D(2, 3)),
    "ConvLSTM3D": ((2, 4, 4, 4, 2), lambda: layers.ConvLSTM3D(2, 3)),
    "Bidirectional": (SERIES, lambda: layers.Bidirectional(layers.GRU(3))),
    "TimeDistributed": (SERIES, lambda: layers.TimeDistributed(layers.Dense(3))),
    "RNN": (SERIES, lambda: layers.RNN(layers.LSTMCell(3))),
    "StackedRNNCells": (
        SERIES,
        lambda: layers.RNN(layers.StackedRNNCells([layers.GRUCell(3), layers.SimpleRNNCell(2)])),
    ),
    "GRU": (SERIES, lambda: layers.GRU(3, unroll=True)),
    **{n: (SERIES, lambda n=n: getattr(layers, n)(3)) for n in ("LSTM", "SimpleRNN")},
    **{
        f"{kind}{d}D": (shape, lambda k=kind, d=d: getattr(layers, f"{k}{d}D")(2, 3))
        for d, shape in ((1, SERIES), (2, IMAGE), (3, VOLUME))
        for kind in ("Conv",)
    },
    **{
        f"Conv{d}DTranspose": (shape, lambda d=d: getattr(layers, f"Conv{d}DTranspose")(2, 3))
        for d, shape in ((1, SERIES), (2, IMAGE), (3, VOLUME))
    },
    **{
        f"{kind}{d}D": (shape, lambda k=kind, d=d: getattr(layers, f"{k}{d}D")(*_ARGUMENTS[k]))
        for kind in ("DepthwiseConv", "SeparableConv")
        for d, shape in ((1, SERIES), (2, IMAGE))
    },
    **{
        f"{kind}{d}D": (shape, lambda k=kind, d=d: getattr(layers, f"{k}{d}D")(*_ARGUMENTS[k]))
        for kind in (
            *("AdaptiveAveragePooling", "AdaptiveMaxPooling", "AveragePooling", "MaxPooling"),
            *("GlobalAveragePooling", "GlobalMaxPooling"),
            *("Cropping", "UpSampling", "ZeroPadding", "SpatialDropout"),
        )
        for d, shape in ((1, SERIES), (2, IMAGE), (3, VOLUME))
    },
}
_ARGUMENTS = {
    "DepthwiseConv": (3,),
    "SeparableConv": (2, 3),
    "AdaptiveAveragePooling": (2,),
    "AdaptiveMaxPooling": (2,),
    "Cropping": (1,),
    "UpSampling": (2,),
    "SpatialDropout": (0.5,),
    "AveragePooling": (2,),
    "MaxPooling": (2,),
    "ZeroPadding": (1,),
    **dict.fromkeys(("GlobalAveragePooling", "GlobalMaxPooling"), ()),
}
# Layers that take several tensors, or that are made by others.
ELSEWHERE = {
    *("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"),
    *("AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"),
    *("InputLayer", "GRUCell", "LSTMCell", "SimpleRNNCell"),
}
_PLAIN = [n.rpartition(".")[2] for n in allow_list.classes() if n.startswith("keras.layers.")]


def comes_back(net):
    rng = np.random.default_rng(0)
    inputs = [rng.uniform(0.0, 8.0, size=(3, *i.shape[1:])).astype("f4") for i in net.inputs]
    inputs = inputs[0] if len(inputs) == 1 else inputs
    parts, described = serialize_net(net, "net")
    loaded = deserialize_net(parts, "net", described.own)
    same = [np.asarray(n(inputs, training=False)) for n in (net, loaded)]
    np.testing.assert_array_equal(*same)
    for mine, theirs in zip(net.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype


@pytest.mark.parametrize("name", sorted(set(_PLAIN) - ELSEWHERE))
def test_a_layer_of_one_tensor_comes_back(name):
    shape, make = MADE.get(name, (ROW, getattr(layers, name)))
    x = keras.Input(shape)
    comes_back(keras.Model(x, make()(x)))


def test_layers_of_several_tensors_come_back():
    a, b = keras.Input(SERIES), keras.Input(SERIES)
    merged = [
        layers.Add()([a, b]),
        layers.Average()([a, b]),
        layers.Maximum()([a, b]),
        layers.Minimum()([a, b]),
        layers.Multiply()([a, b]),
        layers.Subtract()([a, b]),
        layers.Attention()([a, b]),
        layers.AdditiveAttention()([a, b]),
        layers.MultiHeadAttention(2, 2)(a, b),
        layers.GroupQueryAttention(2, 2, 1)(a, b),
    ]
    both = layers.Concatenate()(merged)
    comes_back(keras.Model([a, b], layers.Dot(1)([both, both])))


def test_operations_come_back():
    x = keras.Input(ROW)
    parts = [
        ops.exp(x) + 1.0,
        ops.clip(x, -1.0, 1.0) * 2.0,
        ops.where(x > 1.0, x, ops.zeros_like(x)),
        x[:, :2],
        ops.mean(x, axis=-1, keepdims=True),
        ops.reshape(ops.einsum("ni,nj->nij", x, x), (-1, 36)),
        ops.softmax(x),
    ]
    comes_back(keras.Model(x, ops.concatenate(parts, axis=-1)))


def test_shared_layers_and_models_in_models_come_back():
    x = keras.Input(ROW)
    shared = layers.Dense(6, "tanh")
    inner = keras.Sequential([keras.Input(ROW), layers.Dropout(0.5), layers.Dense(6)])
    net = keras.Model(x, shared(inner(shared(inner(x)))))
    comes_back(net)
    assert len(net.weights) == 4


def test_a_layer_that_two_models_share_is_rejected_since_keras_loses_its_weights():
    x = keras.Input(ROW)
    shared = layers.Dense(6, "tanh")
    inner = keras.Sequential([keras.Input(ROW), shared, layers.Dense(6)])
    parts, described = serialize_net(keras.Model(x, shared(inner(x))), "net")
    with pytest.raises(ArtefactError, match=r"weights, and 4 are stored"):
        deserialize_net(parts, "net", described.own)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "mixed_float16"])
def test_other_precisions_come_back(dtype):
    comes_back(keras.Sequential([keras.Input(ROW), layers.Dense(3, dtype=dtype)]))


def test_a_net_that_is_compiled_is_saved_without_its_training():
    net = keras.Sequential([keras.Input(ROW), layers.Dense(6)])
    net.compile("adam", "mse")
    net.fit(np.zeros((8, 6)), np.zeros((8, 6)), verbose=0)
    parts, _ = serialize_net(net, "net")
    assert not any("optimizer" in path for path in parts.weights)
    comes_back(net)
