"""Nets of equal structure are served by one program, and all others by none but their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.nets.codes import GaussianCode, QuantizedCode
from aegmm_detect.nets.dropout import Dropout
from aegmm_detect.nets.som import WinnerCoordinates
from aegmm_detect.nets.stacked import StackedDense
from aegmm_detect.numerics.features import concat, eucl_cosim_features, log_euclidean, mean_squared
from aegmm_detect.programs.cache import PROGRAMS
from aegmm_detect.programs.pure import NetProgram, PureFunction, own_programs
from aegmm_detect.programs.structure import SHARED_LAYERS, structure_of

ROWS, SERIES, IMAGES = (6,), (8, 3), (6, 6, 2)
# Each with weights, of its own or before it, so that two nets differ.
OF_KERAS = {
    "Activation": lambda: chain(ROWS, layers.Dense(4), layers.Activation("gelu")),
    "AveragePooling1D": lambda: chain(SERIES, layers.Conv1D(2, 3), layers.AveragePooling1D(2)),
    "AveragePooling2D": lambda: chain(IMAGES, layers.Conv2D(2, 3), layers.AveragePooling2D(2)),
    "BatchNormalization": lambda: chain(ROWS, layers.BatchNormalization()),
    "Conv1D": lambda: chain(SERIES, layers.Conv1D(2, 3, padding="causal", activation="tanh")),
    "Conv1DTranspose": lambda: chain(SERIES, layers.Conv1DTranspose(2, 3, 2)),
    "Conv2D": lambda: chain(IMAGES, layers.Conv2D(2, 3, 2, "same")),
    "Conv2DTranspose": lambda: chain(IMAGES, layers.Conv2DTranspose(2, 3, 2)),
    "Cropping2D": lambda: chain(IMAGES, layers.Conv2D(2, 3), layers.Cropping2D(1)),
    "Dense": lambda: chain(ROWS, layers.Dense(4, "relu")),
    "Dropout": lambda: chain(ROWS, layers.Dense(4), layers.Dropout(0.5)),
    "ELU": lambda: chain(ROWS, layers.Dense(4), layers.ELU(0.5)),
    "Flatten": lambda: chain(SERIES, layers.Conv1D(2, 3), layers.Flatten()),
    "GaussianNoise": lambda: chain(ROWS, layers.Dense(4), layers.GaussianNoise(0.1)),
    "InputLayer": lambda: functional(lambda x: layers.Dense(4)(x)),
    "LayerNormalization": lambda: chain(ROWS, layers.LayerNormalization()),
    "LeakyReLU": lambda: chain(ROWS, layers.Dense(4), layers.LeakyReLU(0.2)),
    "MaxPooling1D": lambda: chain(SERIES, layers.Conv1D(2, 3), layers.MaxPooling1D(2)),
    "MaxPooling2D": lambda: chain(IMAGES, layers.Conv2D(2, 3), layers.MaxPooling2D(2)),
    "ReLU": lambda: chain(ROWS, layers.Dense(4), layers.ReLU(1.0)),
    "Reshape": lambda: chain(ROWS, layers.Dense(4), layers.Reshape((2, 2))),
    "Softmax": lambda: chain(ROWS, layers.Dense(4), layers.Softmax()),
    "UpSampling1D": lambda: chain(SERIES, layers.Conv1D(2, 3), layers.UpSampling1D(2)),
    "UpSampling2D": lambda: chain(
        IMAGES, layers.Conv2D(2, 3), layers.UpSampling2D(2, interpolation="bilinear")
    ),
    "ZeroPadding2D": lambda: chain(IMAGES, layers.Conv2D(2, 3), layers.ZeroPadding2D(1)),
}
OTHERS = {
    "members": lambda: chain(
        ROWS, StackedDense(4, (None, None), "tanh"), StackedDense(2, (None, None))
    ),
    "dropout": lambda: chain(ROWS, layers.Dense(4), Dropout(0.5)),
    "winners": lambda: chain(ROWS, WinnerCoordinates((3, 4), 6)),
    "a drawn code": lambda: built(GaussianCode.of_width(2)),
    "a quantised code": lambda: built(QuantizedCode(5, 6)),
    "a branch": lambda: functional(lambda x: (layers.Dense(4)(x), layers.Dense(4, "tanh")(x))),
    "nets in a net": lambda: chain(
        ROWS, chain(ROWS, layers.Dense(4, "tanh"), layers.Dense(6)), layers.Dense(2)
    ),
    "a net in a functional one": lambda: functional(chain(ROWS, layers.Dense(4))),
    "a layer used twice": lambda: functional(twice(layers.Dense(6, "tanh"))),
    "a net used twice": lambda: functional(twice(chain(ROWS, layers.Dense(6, "tanh")))),
    "a layer as an activation": lambda: chain(ROWS, layers.Dense(4, layers.LeakyReLU(0.1))),
    "penalties": lambda: chain(
        ROWS, layers.Dense(4, kernel_regularizer="l2", kernel_constraint="max_norm")
    ),
    "two features": lambda: aegmm(concat(eucl_cosim_features, log_euclidean)),
    "features as they come": lambda: aegmm(eucl_cosim_features),
    "a context": lambda: aegmm(mean_squared, context=chain(ROWS, WinnerCoordinates((3,), 6))),
}


def chain(shape, *parts, dtype=None):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *parts])


def functional(parts, dtype=None):
    x = keras.Input(ROWS, dtype=dtype)
    return keras.Model(x, parts(x))


def twice(part):
    return lambda x: part(part(x))


def built(code):
    code.build((None, *ROWS))
    return code


def aegmm(recon_features=eucl_cosim_features, kind=AEGMM, context=None):
    n_features = recon_features(np.ones((1, 6), "float32"), np.ones((1, 6), "float32")).shape[1]
    n_context = 0 if context is None else context.output_shape[-1]
    return kind(
        chain(ROWS, layers.Dense(1)),
        chain((1,), layers.Dense(6)),
        chain((1 + n_features + n_context,), layers.Dense(2, "softmax")),
        recon_features=recon_features,
        context=context,
    )


def with_weights(net, seed):
    """The net with weights of that seed, none of which are as layers start."""
    rng = np.random.default_rng(seed)
    for weight in net.weights:
        value = rng.normal(size=weight.shape)
        weight.assign(np.exp(value) if "variance" in weight.name else value)
    return net


def rows_for(net, n_rows=5):
    shape = getattr(net, "input_shape", None) or (None, *ROWS)
    return np.random.default_rng(0).normal(size=(n_rows, *shape[1:])).astype("float32")


def outputs(net, _, x):
    """In inference and in training, where some draw numbers and some have averages that move."""
    return net(x, training=False), net(x, training=True)


def flat(found):
    return [np.asarray(part) for part in tf.nest.flatten(found)]


def assert_own_outputs(net, found, rows):
    for got, want in zip(flat(found), flat(outputs(net, None, rows)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def assert_served_by_one_program(make):
    nets = [with_weights(make(), seed) for seed in (1, 2)]
    assert structure_of(nets[0]) is not None
    assert structure_of(nets[0]) == structure_of(nets[1])
    assert hash(structure_of(nets[0])) == hash(structure_of(nets[1]))
    rows, function = rows_for(nets[0]), PureFunction(outputs, object())
    before = PROGRAMS.n_made
    found = [NetProgram(net, function)(rows) for net in nets]
    assert PROGRAMS.n_made == before + 1
    for net, own in zip(nets, found, strict=True):
        assert_own_outputs(net, own, rows)
    assert any(not np.allclose(*both) for both in zip(*map(flat, found), strict=True))


def test_every_layer_of_the_list_has_an_example():
    assert {getattr(layers, name) for name in OF_KERAS} == SHARED_LAYERS
    for name, make in OF_KERAS.items():
        assert getattr(layers, name) in set(map(type, make()._flatten_layers()))


@pytest.mark.parametrize("name", OF_KERAS)
def test_one_program_serves_nets_of_kerass_layers(name):
    assert_served_by_one_program(OF_KERAS[name])


@pytest.mark.parametrize("name", OTHERS)
def test_one_program_serves_nets_of_our_layers_and_of_any_shape(name):
    assert_served_by_one_program(OTHERS[name])


def test_one_program_serves_all_numbers_of_rows_unless_it_is_for_one():
    net, function = with_weights(OF_KERAS["Dense"](), 0), PureFunction(outputs, object())
    program, before = NetProgram(net, function), PROGRAMS.n_made
    for n_rows in (1, 5, 70):
        assert_own_outputs(net, program(rows_for(net, n_rows)), rows_for(net, n_rows))
    assert PROGRAMS.n_made == before + 1
    for n_rows in (5, 5, 70):
        assert_own_outputs(net, program(rows_for(net, n_rows), exact=True), rows_for(net, n_rows))
    assert PROGRAMS.n_made == before + 3


def test_arrays_that_are_there_and_those_that_are_not_make_other_programs():
    def shifted(net, shifts, x):
        y = net(x, training=False)
        return y + sum(shift for shift in shifts if shift is not None)

    net, function = with_weights(OF_KERAS["Dense"](), 0), PureFunction(shifted, object())
    rows, one, two = rows_for(net), np.float32(1.0), np.float32(2.0)
    plain, before = np.asarray(net(rows)), PROGRAMS.n_made
    for shifts, n_made in (((one, None), 1), ((two, None), 1), ((None, two), 2), ((one, two), 3)):
        total = sum(shift for shift in shifts if shift is not None)
        np.testing.assert_allclose(
            NetProgram(net, function, shifts)(rows), plain + total, rtol=1e-5
        )
        assert PROGRAMS.n_made == before + n_made


class OwnDense(layers.Dense):
    pass


class OwnModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)
        self.build((None, *ROWS))

    def build(self, shape):
        self.dense.build(shape)
        self.built = True

    def call(self, x, training=False):
        return self.dense(x)


class OwnAEGMM(AEGMM):
    pass


class WithoutConfig(layers.Layer):
    """Keras cannot write it down."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


class WithoutConfigPenalty:
    def __call__(self, weights):
        return ops.sum(weights)


def own_activation(x):
    return x * x


def own_features(x, x_recon):
    return ops.mean(ops.abs(x - x_recon), axis=1, keepdims=True)


def adapted(mean, width=6):
    # Of one name: it tells no two nets apart.
    layer = layers.Normalization(name="adapted")
    rows = np.random.default_rng(0).normal(mean, 2.0, (50, width))
    layer.adapt(rows.astype("float32"))
    return layer


NOT_SHARED = {
    "an adapted normalization": lambda mean: chain(ROWS, adapted(mean), layers.Dense(3)),
    "one in a functional net": lambda mean: functional(lambda x: layers.Dense(3)(adapted(mean)(x))),
    "one in a net": lambda mean: chain(ROWS, chain(ROWS, adapted(mean)), layers.Dense(3)),
    "one as an activation": lambda mean: chain(ROWS, layers.Dense(4, adapted(mean, 4))),
    "a lambda": lambda shift: chain(ROWS, layers.Dense(3), layers.Lambda(lambda x: x + shift)),
    "a method": lambda limit: chain(
        ROWS, layers.Dense(3, layers.ReLU(max_value=limit, name="limited").call)
    ),
    "a function made in one": lambda shift: chain(
        ROWS, layers.Dense(3, lambda x: ops.tanh(x) + shift)
    ),
    "a layer without a configuration": lambda shift: functional(
        lambda x: WithoutConfig(lambda x: x + shift)(layers.Dense(3)(x))
    ),
    "operations": lambda limit: functional(lambda x: ops.clip(layers.Dense(3)(x), -limit, limit)),
    "a subclass of a layer": lambda _: chain(ROWS, OwnDense(3)),
    "a subclass of a model": lambda _: OwnModel(),
    "a subclass of ours": lambda _: aegmm(kind=OwnAEGMM),
    "an activation": lambda _: chain(ROWS, layers.Dense(3, own_activation)),
    "an activation of members": lambda _: chain(ROWS, StackedDense(3, (1, 2), own_activation)),
    "an activation of TensorFlow": lambda _: chain(ROWS, layers.Dense(3, tf.nn.relu)),
    "a penalty without a configuration": lambda _: functional(
        lambda x: layers.Dense(3, kernel_regularizer=WithoutConfigPenalty())(x)
    ),
    "features": lambda _: aegmm(own_features),
    "features among ours": lambda _: aegmm(concat(mean_squared, own_features)),
}


@pytest.mark.parametrize("name", NOT_SHARED)
def test_nets_that_may_hold_more_than_weights_have_programs_of_their_own(name):
    nets = [with_weights(NOT_SHARED[name](number), 0) for number in (1.0, 2.0)]
    assert [structure_of(net) for net in nets] == [None, None]
    rows, function = rows_for(nets[0]), PureFunction(outputs, object())
    before = PROGRAMS.n_made
    for net in nets:
        for _ in range(2):
            assert_own_outputs(net, NetProgram(net, function)(rows), rows)
        assert own_programs(net).n_made == 1
    assert PROGRAMS.n_made == before


def trainable(layer, flag):
    layer.trainable = flag
    return layer


def wired(outputs_of):
    one, two = layers.Dense(6), layers.Dense(6)
    return functional(lambda x: outputs_of(one, two, x))


DENSE = {
    "": lambda: chain(ROWS, layers.Dense(6)),
    "activation": lambda: chain(ROWS, layers.Dense(6, "tanh")),
    "another activation": lambda: chain(ROWS, layers.Dense(6, "relu")),
    "activation that is a layer": lambda: chain(ROWS, layers.Dense(6, layers.LeakyReLU(0.1))),
    "other activation that is a layer": lambda: chain(ROWS, layers.Dense(6, layers.LeakyReLU(0.2))),
    "width": lambda: chain(ROWS, layers.Dense(5)),
    "no bias": lambda: chain(ROWS, layers.Dense(6, use_bias=False)),
    "frozen layer": lambda: chain(ROWS, trainable(layers.Dense(6), False)),
    "penalty": lambda: chain(ROWS, layers.Dense(6, kernel_regularizer="l2")),
    "other penalty": lambda: chain(ROWS, layers.Dense(6, kernel_regularizer="l1")),
    "weight of penalty": lambda: chain(
        ROWS, layers.Dense(6, kernel_regularizer=keras.regularizers.L2(0.5))
    ),
    "constraint": lambda: chain(ROWS, layers.Dense(6, kernel_constraint="non_neg")),
    "policy": lambda: chain(ROWS, layers.Dense(6, dtype="mixed_float16")),
    "dtype": lambda: chain(ROWS, layers.Dense(6, dtype="float64")),
    "dtype of rows": lambda: chain(ROWS, layers.Dense(6), dtype="float16"),
    "a further layer": lambda: chain(ROWS, layers.Dense(6), layers.ReLU()),
    "limit of a further layer": lambda: chain(ROWS, layers.Dense(6), layers.ReLU(1.0)),
    "net in a net": lambda: chain(ROWS, chain(ROWS, layers.Dense(6))),
    "functional": lambda: functional(lambda x: layers.Dense(6)(x)),
    "functional, dtype of rows": lambda: functional(lambda x: layers.Dense(6)(x), "float16"),
    "both of the rows": lambda: wired(lambda one, two, x: (one(x), two(x))),
    "one of the other": lambda: wired(lambda one, two, x: (one(x), two(one(x)))),
    "outputs turned": lambda: wired(lambda one, two, x: (two(one(x)), one(x))),
    "output left out": lambda: wired(lambda one, two, x: two(one(x))),
    "one twice": lambda: wired(lambda one, two, x: (one(x), one(one(x)))),
    "in training": lambda: functional(lambda x: layers.Dropout(0.5)(layers.Dense(6)(x))),
    "always in training": lambda: functional(
        lambda x: layers.Dropout(0.5)(layers.Dense(6)(x), training=True)
    ),
}


def test_whatever_changes_what_is_computed_changes_the_structure():
    found = {name: structure_of(make()) for name, make in DENSE.items()}
    assert None not in found.values()
    equal = [(a, b) for a in found for b in found if a < b and found[a] == found[b]]
    assert equal == []


@pytest.mark.parametrize(
    "change",
    [
        lambda: chain(ROWS, layers.Dense(6, name="other")),
        lambda: chain(ROWS, layers.Dense(6, kernel_initializer="zeros", bias_initializer="ones")),
        lambda: keras.Sequential([keras.Input(ROWS), layers.Dense(6)], name="other"),
    ],
    ids=["name of a layer", "first weights", "name of the net"],
)
def test_names_and_first_weights_are_no_part_of_it(change):
    assert structure_of(change()) == structure_of(DENSE[""]())


def test_a_net_that_is_frozen_later_has_another_structure():
    net = DENSE[""]()
    before = structure_of(net)
    net.trainable = False
    assert structure_of(net) != before
    net.trainable = True
    assert structure_of(net) == before


def test_parts_of_an_aegmm_belong_to_its_structure():
    found = [
        structure_of(net)
        for net in (
            aegmm(mean_squared),
            aegmm(log_euclidean),  # as wide
            aegmm(concat(mean_squared, log_euclidean)),
            aegmm(concat(log_euclidean, mean_squared)),
            aegmm(mean_squared, context=chain(ROWS, WinnerCoordinates((3,), 6))),
        )
    ]
    assert None not in found
    assert len(set(found)) == len(found)
