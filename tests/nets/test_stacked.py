"""Nets that are stacked compute what each of them computes alone."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.nets.stacked import StackedDense, member_weights
from aegmm_detect.numerics.features import concat, eucl_cosim_features, log_euclidean

bounded = settings(max_examples=5)
SIZES = NetSizes.of(n_features=6, comp_hiddens=(8, 5, 2), est_hiddens=(7, 3))


def rows(n=40, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width)).astype("float32")


def blueprint(members=3, sizes=SIZES):
    return Blueprint(sizes, concat(log_euclidean, eucl_cosim_features), members)


def outputs(net, x):
    return [keras.ops.convert_to_numpy(value) for value in net(x, training=False)]


def built(layer, *shape):
    layer.build(shape)
    return layer


@pytest.mark.parametrize(
    ("members", "width", "comp", "est"),
    [(3, 6, [8, 5, 2], [7, 3]), (2, 1, [1], [2]), (1, 7, [4, 9], [6, 5, 2])],
)
def test_a_member_computes_what_plain_nets_with_its_weights_compute(members, width, comp, est):
    sizes = NetSizes.of(n_features=width, comp_hiddens=comp, est_hiddens=est)
    plan = blueprint(members, sizes)
    net, x = plan.build(seed=1), rows(width=width)
    together = outputs(net, x)
    for member in range(members):
        alone = plan.alone(net, member)
        for got, want in zip(together, outputs(alone, x), strict=True):
            assert got.shape == (members, *want.shape)
            np.testing.assert_allclose(got[member], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("member", [0, 1, 2])
def test_a_member_starts_as_plain_nets_of_its_seed(member):
    """The first as those of the detector's seed: an ensemble of one is the plain detector."""
    net, x = blueprint().build(seed=4), rows()
    plain = blueprint(members=None).build(seed=4 + 1000 * member)
    for got, want in zip(outputs(net, x), outputs(plain, x), strict=True):
        np.testing.assert_allclose(got[member], want, rtol=1e-5, atol=1e-6)


def test_no_two_members_start_alike():
    for seed in (0, None):
        for weight in blueprint().build(seed).trainable_variables:
            value = weight.numpy()
            if weight.name == "kernel":
                for a, b in ((0, 1), (0, 2), (1, 2)):
                    assert (value[a] != value[b]).any()
            else:
                np.testing.assert_array_equal(value, 0)


def test_the_same_seed_gives_the_same_weights_and_masks():
    first, second, other = (blueprint().build(seed) for seed in (5, 5, 6))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = zip(first.trainable_variables, other.trainable_variables, strict=True)
    assert all((a.numpy() != b.numpy()).any() for a, b in kernels if a.name == "kernel")
    gamma = [keras.ops.convert_to_numpy(net(rows(), training=True)[2]) for net in (first, second)]
    np.testing.assert_array_equal(*gamma)


def test_dropout_draws_a_mask_for_each_member():
    net = blueprint(2).build(seed=0)
    for weight in net.trainable_variables:
        weight.assign(np.broadcast_to(weight.numpy()[:1], weight.shape))
    still, dropped = outputs(net, rows())[2], net(rows(), training=True)[2].numpy()
    np.testing.assert_allclose(still[0], still[1], rtol=1e-6)
    assert (dropped[0] != dropped[1]).any()


@given(seeds=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=4))
@bounded
def test_initial_weights_are_those_of_glorot_uniform(seeds):
    layer = built(StackedDense(4, seeds), None, 3)
    for kernel, seed in zip(layer.kernel.numpy(), seeds, strict=True):
        np.testing.assert_array_equal(kernel, keras.initializers.GlorotUniform(seed)((3, 4)))
    np.testing.assert_array_equal(layer.bias.numpy(), np.zeros((len(seeds), 1, 4)))


@pytest.mark.parametrize("activation", [None, "tanh", "softmax"])
def test_the_layer_is_dense_layers_side_by_side(activation):
    layer = built(StackedDense(4, (1, 2), activation), None, 3)
    layer.bias.assign(rows(2, 4).reshape(2, 1, 4))
    shared = rows(9, 3)
    own = np.stack([shared, rows(9, 3, seed=1)])
    for x in (shared, own):
        got = layer(x)
        assert got.shape == (2, 9, 4) == layer.compute_output_shape(x.shape)
        for member in range(2):
            dense = built(keras.layers.Dense(4, activation), None, 3)
            dense.set_weights(member_weights(keras.Sequential([layer]), member))
            want = dense(x if x.ndim == 2 else x[member])
            np.testing.assert_allclose(got[member], want, rtol=1e-5, atol=1e-6)


def test_members_do_not_touch_one_another():
    """A change of one member's weights or code leaves the others' bits as they are."""
    net, x = blueprint().build(seed=0), rows()
    before = outputs(net, x)
    for weight in net.trainable_variables:
        weight.assign(weight.numpy() + np.array([0, 1, 0]).reshape(3, 1, 1))
    for old, new in zip(before, outputs(net, x), strict=True):
        np.testing.assert_array_equal(new[[0, 2]], old[[0, 2]])
        assert (new[1] != old[1]).any()


@pytest.mark.parametrize("seeds", [(3, 4), (None, None, None)])
def test_the_layer_survives_its_configuration(seeds):
    layer = built(StackedDense(4, seeds, "tanh", name="mine"), None, 3)
    config = keras.saving.serialize_keras_object(layer)
    loaded = keras.saving.deserialize_keras_object(config)
    assert isinstance(loaded, StackedDense)
    assert loaded.get_config() == layer.get_config()
    assert (loaded.name, loaded.units, loaded.seeds) == ("mine", 4, seeds)
    loaded = loaded if loaded.built else built(loaded, None, 3)
    loaded.set_weights(layer.get_weights())
    np.testing.assert_array_equal(loaded(rows(5, 3)), layer(rows(5, 3)))


def test_stacked_nets_survive_their_configuration():
    net = blueprint().build(seed=1)
    x = rows()
    loaded = keras.Sequential.from_config(net.encoder.get_config())
    np.testing.assert_array_equal(loaded(x), net.encoder(x))  # weights follow from the seeds
