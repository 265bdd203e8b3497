import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.configs.nets import NetSizes, sizes_for
from aegmm_detect.nets.blocks import build
from aegmm_detect.nets.dropout import Dropout

bounded = settings(max_examples=10)
widths = st.lists(st.integers(1, 20), min_size=1, max_size=4)
KDD = NetSizes.of(n_features=118, comp_hiddens=(60, 30, 10, 1), est_hiddens=(10, 4))


def weights(nets):
    return [value for net in nets for value in net.get_weights()]


def layers_of(net, kind):
    return [layer for layer in net.layers if isinstance(layer, kind)]


def dense(net):
    return layers_of(net, keras.layers.Dense)


@given(n_features=st.integers(1, 30), comp=widths, est=widths, n_recon=st.integers(1, 5))
@bounded
def test_layers_have_the_sizes_that_were_written_down(n_features, comp, est, n_recon):
    sizes = NetSizes.of(n_features=n_features, comp_hiddens=comp, est_hiddens=est)
    encoder, decoder, density = build(sizes, n_recon, seed=0)
    assert encoder.input_shape == (None, n_features)
    assert [layer.units for layer in dense(encoder)] == comp
    # The decoder is the encoder's mirror image.
    assert decoder.input_shape == (None, comp[-1])
    assert [layer.units for layer in dense(decoder)] == [*comp[-2::-1], n_features]
    assert density.input_shape == (None, comp[-1] + n_recon)
    assert [layer.units for layer in dense(density)] == est


def test_code_and_reconstruction_are_linear_and_the_rest_is_not():
    sizes = KDD.replace(comp_activation="relu", est_activation="elu")
    encoder, decoder, density = build(sizes, 2)
    name = keras.activations.serialize
    assert [name(layer.activation) for layer in dense(encoder)] == ["relu"] * 3 + ["linear"]
    assert [name(layer.activation) for layer in dense(decoder)] == ["relu"] * 3 + ["linear"]
    assert [name(layer.activation) for layer in dense(density)] == ["elu", "softmax"]


@pytest.mark.parametrize("n_features", [1, 6, 118])
def test_memberships_are_distributions(n_features):
    sizes = sizes_for(n_features)
    nets = build(sizes, 2)
    z = np.random.default_rng(0).normal(size=(20, sizes.latent_dim + 2)).astype("float32")
    for training in (False, True):
        gamma = keras.ops.convert_to_numpy(nets.density(z, training=training))
        assert (gamma >= 0).all()
        np.testing.assert_allclose(gamma.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("ratio", "rates"), [(0.25, [0.25, 0.25]), (0.0, []), (None, [])])
def test_dropout_sits_between_the_density_nets_layers_only(ratio, rates):
    sizes = KDD.replace(est_hiddens=(10, 8, 4), est_dropout_ratio=ratio)
    encoder, decoder, density = build(sizes, 2)
    assert [layer.rate for layer in layers_of(density, Dropout)] == rates
    assert not layers_of(encoder, Dropout) + layers_of(decoder, Dropout)
    assert isinstance(density.layers[-1], keras.layers.Dense)


def test_the_same_seed_gives_the_same_weights_and_masks():
    first, second = build(KDD, 2, seed=5), build(KDD, 2, seed=5)
    for a, b in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(a, b)
    z = np.ones((20, 3), "float32")
    np.testing.assert_array_equal(first.density(z, training=True), second.density(z, training=True))


@pytest.mark.parametrize("seeds", [(5, 6), (0, 1000), (None, None)])
def test_different_seeds_or_none_give_different_weights(seeds):
    first, second = (build(KDD, 2, seed=seed) for seed in seeds)
    for a, b in zip(weights(first), weights(second), strict=True):
        assert a.ndim == 1 or (a != b).any()  # biases start at zero


def test_no_two_layers_of_a_net_start_alike():
    sizes = KDD.replace(n_features=8, comp_hiddens=(8, 8, 8), est_hiddens=(10, 10))
    kernels = [value for value in weights(build(sizes, 2, seed=0)) if value.shape == (8, 8)]
    assert len(kernels) == 6
    for i, a in enumerate(kernels):
        assert all((a != b).any() for b in kernels[i + 1 :])


def test_a_global_seed_is_neither_read_nor_changed():
    np.random.seed(0)  # noqa: NPY002
    want = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    first = build(KDD, 2, seed=1)
    assert np.random.random() == want  # noqa: NPY002
    for a, b in zip(weights(first), weights(build(KDD, 2, seed=1)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nets_survive_their_configuration():
    for net in build(KDD, 2, seed=1):
        loaded = keras.Sequential.from_config(net.get_config())
        x = np.ones((3, net.input_shape[1]), "float32")
        np.testing.assert_array_equal(loaded(x), net(x))  # weights follow from the seed
