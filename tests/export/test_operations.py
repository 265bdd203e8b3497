"""Every export of the family holds known operations only: a reader checks each before it is run."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

from aegmm_detect.configs.export import MODEL_FILES
from aegmm_detect.export import formats
from aegmm_detect.export.graph import PORTABLE
from aegmm_detect.programs.structure import structure_of
from aegmm_detect.registry import get_detector
from aegmm_detect.untrusted.flow import words
from aegmm_detect.untrusted.graph import check_graph
from aegmm_detect.untrusted.litert_operations import OPERATIONS as LITERT
from aegmm_detect.untrusted.onnx_graph import OPERATIONS as ONNX
from tests.own_detectors import OWN
from tests.untrained import untrained

# One makes no graph, one is the subject 'both' of test_export, and one makes the same graph as it.
ALONE = sorted(set(OWN) - {"PerClassAEGMM", "OutlierAEGMM", "OutlierLabelledAEGMM"})


@pytest.fixture(scope="module")
def fitted_of(normal_rows):
    """Of a name: a detector whose score has all parts; fitted once for all formats."""

    @functools.cache
    def fitted_of(name):
        detector = get_detector(name).auto(6, ensemble=1, threshold=0.0, seed=3, score_type="both")
        with untrained():
            detector.fit(normal_rows, epochs=1, verbose=0, seed=0)
        return detector

    return fitted_of


@pytest.mark.parametrize("name", ALONE)
def test_every_detector_is_exported(name, fitted_of, normal_rows, light_format, tmp_path):
    """With all parts of a score; an export that the reader refuses is an error."""
    fitted_of(name).export(tmp_path / "export", light_format, X=normal_rows)


def test_labels_change_no_graph(fitted_of):
    plain, labelled = (fitted_of(name) for name in ("OutlierAEGMM", "OutlierLabelledAEGMM"))
    assert type(labelled).export is type(plain).export
    assert structure_of(labelled.net) == structure_of(plain.net) is not None
    one, other = (detector.scoring_graph for detector in (plain, labelled))
    assert (one.function, one.row_dtype) == (other.function, other.row_dtype)


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


FUNCTIONS = (
    lambda x: ops.concatenate([ops.abs(x), ops.sqrt(ops.abs(x)), ops.exp(-ops.square(x))], -1),
    lambda x: ops.concatenate([ops.sin(x), ops.cos(x), ops.sign(x), ops.floor(x)], -1),
    lambda x: ops.where((x > 0) & (x < 1) | (x == 2), ops.maximum(x, 0.1), -x),
    lambda x: ops.concatenate([ops.max(x, -1, True), ops.min(x, -1, True)], -1),
    lambda x: ops.concatenate([ops.mean(x, -1, True), ops.std(x, -1, True)], -1),
    lambda x: ops.concatenate([ops.take(x, [0, 2], 1), ops.top_k(x, 2)[0]], -1),
    lambda x: ops.one_hot(ops.cast(ops.clip(x[:, 0], 0, 3), "int32"), 4),
)
NETS = {
    "activations": lambda: net((6,), *(layers.Activation(name) for name in sorted(ACTIVATIONS))),
    "rows": lambda: net(
        (6,),
        chain(layers.Dense(4), layers.PReLU(), layers.Dropout(0.1), layers.GaussianNoise(0.1)),
        *(layers.BatchNormalization(), layers.LayerNormalization(), layers.UnitNormalization()),
        *(layers.RMSNormalization(), layers.Rescaling(0.1, 1.0), layers.RepeatVector(3), adapted()),
        lambda x: layers.Maximum()([x, layers.Minimum()([layers.Dense(6)(x), x])]),
        lambda x: layers.Average()([x, layers.Multiply()([x, x]), layers.Subtract()([x, x])]),
        *FUNCTIONS,
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
        # Two steps: the others are the same operations again.
        chain(layers.Cropping1D(3), layers.LSTM(3, unroll=True)),
        chain(layers.Cropping1D(3), layers.GRU(3, unroll=True)),
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
}


@pytest.fixture(scope="module")
def program_of(graph_of):
    """Of a name in `NETS`: the net as converters want it; made once for all formats."""

    @functools.cache
    def program_of(name):
        net = NETS[name]()
        return formats.program(graph_of(net, PORTABLE), 0.0, net.input_shape[1:], "float32")

    return program_of


@pytest.mark.parametrize("name", NETS)
def test_nets_of_keras_layers_hold_known_operations(name, program_of, light_format, tmp_path):
    formats.WRITERS[light_format].write(program_of(name), tmp_path)
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
