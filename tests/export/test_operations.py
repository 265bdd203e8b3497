"""Every export of the family holds known operations only: a reader checks each before it is run."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops

from aegmm_detect.configs.export import MODEL_FILES
from aegmm_detect.export import formats
from aegmm_detect.export.graph import PORTABLE
from aegmm_detect.registry import get_detector
from aegmm_detect.untrusted.flow import words
from aegmm_detect.untrusted.graph import check_graph
from aegmm_detect.untrusted.litert_operations import OPERATIONS as LITERT
from aegmm_detect.untrusted.onnx_graph import OPERATIONS as ONNX
from tests.own_detectors import OWN

ALONE = sorted(set(OWN) - {"PerClassAEGMM"})  # it makes no graph


@pytest.mark.parametrize("name", ALONE)
def test_every_detector_is_exported(name, normal_rows, light_format, tmp_path):
    """With all parts of a score; an export that the reader refuses is an error."""
    detector = get_detector(name).auto(6, ensemble=1, threshold=0.0, seed=3, score_type="both")
    detector.fit(normal_rows, epochs=1, verbose=0, seed=0, jit_compile=False)
    detector.export(tmp_path / "export", light_format, X=normal_rows)


def net(shape, *parts):
    """Each part of the same rows, and all that comes out in one row."""
    x = keras.Input(shape)
    ends = [layers.Flatten()(part(x)) for part in parts]
    return keras.Model(x, layers.Concatenate()(ends) if len(ends) > 1 else ends[0])


def chain(*parts):
    return keras.Sequential(parts)


def adapted():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(3.0, 2.0, (50, 6)).astype("float32"))
    return layer


# Of Keras's names; those that a format lacks are left out there.
ACTIVATIONS = words(
    """
    relu relu6 elu selu silu mish softplus softsign softmax log_softmax sigmoid log_sigmoid
    hard_sigmoid hard_silu tanh exponential leaky_relu hard_tanh hard_shrink tanh_shrink soft_shrink
    squareplus glu sparse_plus sparsemax sparse_sigmoid
    """
)


def attention(x):
    return layers.MultiHeadAttention(2, 3)(x, x)


NETS = {
    "activations": lambda: net((6,), *(layers.Activation(name) for name in sorted(ACTIVATIONS))),
    "rows": lambda: net(
        (6,),
        chain(layers.Dense(4), layers.PReLU(), layers.Dropout(0.1), layers.GaussianNoise(0.1)),
        *(layers.BatchNormalization(), layers.LayerNormalization(), layers.UnitNormalization()),
        *(layers.RMSNormalization(), layers.Rescaling(0.1, 1.0), layers.RepeatVector(3), adapted()),
        lambda x: layers.Maximum()([x, layers.Minimum()([layers.Dense(6)(x), x])]),
        lambda x: layers.Average()([x, layers.Multiply()([x, x]), layers.Subtract()([x, x])]),
    ),
    "series": lambda: net(
        (8, 4),
        chain(layers.Conv1D(4, 3, 2, "same"), layers.MaxPooling1D(2)),
        chain(layers.Conv1D(4, 3, padding="causal", dilation_rate=2), layers.AveragePooling1D(2)),
        chain(layers.Conv1DTranspose(4, 3, 2, "same"), layers.GlobalAveragePooling1D()),
        chain(layers.SeparableConv1D(4, 3), layers.GlobalMaxPooling1D()),
        *(layers.UpSampling1D(2), layers.Cropping1D(1), layers.ZeroPadding1D(1)),
        chain(
            layers.Permute((2, 1)), layers.Reshape((8, 4)), layers.TimeDistributed(layers.Dense(3))
        ),
        layers.LSTM(3, unroll=True),
        layers.GRU(3, unroll=True),
        attention,
    ),
    "images": lambda: net(
        (8, 8, 3),
        chain(layers.Conv2D(4, 3, 2, "same"), layers.MaxPooling2D(2)),
        layers.Conv2D(4, 3, dilation_rate=2, padding="same"),
        chain(layers.Conv2DTranspose(4, 3, 2, "same"), layers.AveragePooling2D(2)),
        chain(layers.SeparableConv2D(4, 3), layers.GlobalMaxPooling2D()),
        layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
        *(layers.UpSampling2D(2), layers.Cropping2D(1), layers.ZeroPadding2D(1)),
        *(layers.UpSampling2D(2, interpolation="bilinear"), layers.GroupNormalization(3)),
    ),
    "functions": lambda: net(
        (6,),
        lambda x: ops.concatenate([ops.abs(x), ops.sqrt(ops.abs(x)), ops.exp(-ops.square(x))], -1),
        lambda x: ops.concatenate([ops.sin(x), ops.cos(x), ops.sign(x), ops.floor(x)], -1),
        lambda x: ops.where((x > 0) & (x < 1) | (x == 2), ops.maximum(x, 0.1), -x),
        lambda x: ops.concatenate([ops.max(x, -1, True), ops.min(x, -1, True)], -1),
        lambda x: ops.concatenate([ops.mean(x, -1, True), ops.std(x, -1, True)], -1),
        lambda x: ops.concatenate([ops.take(x, [0, 2], 1), ops.top_k(x, 2)[0]], -1),
        lambda x: ops.one_hot(ops.cast(ops.clip(x[:, 0], 0, 3), "int32"), 4),
    ),
}


class Summed:
    """A net as the converters want a scoring graph."""

    # As a graph for runtimes that are not TensorFlow.
    function = SimpleNamespace(operations=PORTABLE)

    def __init__(self, net):
        self.net, self.variables = net, net.variables

    def __call__(self, x):
        return ops.sum(self.net(x, training=False), axis=-1)


@pytest.mark.parametrize("name", NETS)
def test_nets_of_keras_layers_hold_known_operations(name, light_format, tmp_path):
    graph = Summed(NETS[name]())
    shape = graph.net.input_shape[1:]
    program = formats.program(graph, 0.0, shape, "float32")
    formats.WRITERS[light_format].write(program, tmp_path)
    model = (tmp_path / MODEL_FILES[light_format]).read_bytes()
    check_graph(model, light_format, "here")


def test_no_known_operation_reaches_beyond_its_numbers():
    """Files, state, other graphs, text, random numbers: by the names that the formats give them."""
    names = {name.lower().replace("_", "") for name in ONNX | set(LITERT.values())}
    for word in (
        *("loop", "scan", "while", "call", "custom", "flex", "var", "hash", "string", "random"),
        *("sequence", "optional", "delegate", "stablehlo", "image", "regex", "multinomial"),
    ):
        assert {name for name in names if word in name} <= {"reversesequence"}
    assert not names & {"if", "print", "assignvariable", "nonzero", "unique", "compress"}
