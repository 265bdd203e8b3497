"""Nets of classes, stacked, see the rows of their own class alone."""

import keras
import numpy as np
import pytest

from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.numerics.features import eucl_cosim_features
from aegmm_detect.per_class.nets import NetsOfClasses, net_of_class, stack_per_class

SIZES = NetSizes.of(n_features=5, comp_hiddens=(8, 2), est_hiddens=(6, 3))
N_CLASSES = 3


def stacked(members):
    """Stacked nets whose classes have weights of their own, and their blueprint."""
    blueprint = Blueprint(SIZES, eucl_cosim_features, members)
    net = stack_per_class(blueprint, N_CLASSES, seed=0)
    rng = np.random.default_rng(0)
    net.set_weights([rng.normal(0.0, 0.5, weight.shape) for weight in net.get_weights()])
    return net, blueprint


def one_row_of_each(n=20):
    return np.random.default_rng(1).normal(size=(n, N_CLASSES, 5)).astype("float32")


@pytest.mark.parametrize("members", [None, 2])
def test_each_class_computes_what_its_nets_compute_alone(members):
    net, blueprint = stacked(members)
    rows, each = one_row_of_each(), members or 1
    together = [keras.ops.convert_to_numpy(part) for part in net(rows, training=False)]
    for number in range(N_CLASSES):
        alone = net_of_class(net, blueprint, number)(rows[:, number], training=False)
        for part, own in zip(together, alone, strict=True):
            mine = part[number * each : (number + 1) * each]
            want = keras.ops.convert_to_numpy(own)
            np.testing.assert_allclose(mine.reshape(want.shape), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("members", [None, 2])
def test_rows_of_another_class_change_nothing(members):
    net, _ = stacked(members)
    rows, each = one_row_of_each(), members or 1
    changed = rows.copy()
    changed[:, 1] += 1.0
    before, after = (net(own, training=False)[1] for own in (rows, changed))
    same = np.isclose(before, after).all(axis=(1, 2)).reshape(N_CLASSES, each)
    assert same[[0, 2]].all()
    assert not same[1].any()


@pytest.mark.parametrize("members", [None, 2])
def test_all_classes_start_from_the_same_weights(members):
    blueprint = Blueprint(SIZES, eucl_cosim_features, members)
    net = stack_per_class(blueprint, N_CLASSES, seed=4)
    alone = blueprint.build(4).get_weights()
    for number in range(N_CLASSES):
        own = net_of_class(net, blueprint, number).get_weights()
        for got, want in zip(own, alone, strict=True):
            np.testing.assert_array_equal(got, want)


def test_the_nets_of_classes_have_all_weights():
    net, blueprint = stacked(None)
    nets = [net_of_class(net, blueprint, number) for number in range(N_CLASSES)]
    got = NetsOfClasses(nets).get_weights()
    want = [weight for own in nets for weight in own.get_weights()]
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_array_equal(one, other)
