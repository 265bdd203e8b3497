"""An ensemble that trains as one program: each member learns as it would alone."""

import keras
import numpy as np
import pytest

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.configs.nets import NetSizes
from aegmm_detect.models.tensorflow import loss_aegmm
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.nets.stacked import member_weights
from aegmm_detect.numerics.features import concat, log_euclidean, negative_cosine
from aegmm_detect.numerics.objective import (
    ForwardPass,
    aegmm_terms,
    evaluate,
    from_loss_fn,
    from_terms,
)
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.od.objective import MixtureLoss
from aegmm_detect.training.data import ArrayRows
from aegmm_detect.training.fit import FitOptions, fit
from aegmm_detect.training.prepare import TrainingRows

# Dropout would draw a mask of its own for each member.
SIZES = NetSizes.of(n_features=6, comp_hiddens=(8, 2), est_hiddens=(3,), est_dropout_ratio=None)
MEMBERS = 2
BLUEPRINT = Blueprint(SIZES, concat(log_euclidean, negative_cosine), MEMBERS)
OBJECTIVE = MixtureLoss(aegmm_terms(), {}).objective
OBJECTIVES = pytest.mark.parametrize("reduction", ["mean", "sum"])


def train(net, rows, optimizer, config, validation=None, **settings):
    prepared = TrainingRows(ArrayRows(rows), validation, None, (6,))
    options = FitOptions(optimizer, verbose=0, **settings)
    return fit(net, OBJECTIVE, prepared, config, options).history


def standard(rows):
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


@pytest.fixture(scope="module")
def trained(normal_rows):
    """Function: compiled or not -> net, log. And the members, each trained alone, with its log."""
    rows, validation = np.split(standard(normal_rows)[:260], [160])
    config = FitConfig(epochs=2, batch_size=64, seed=3, jit_compile=False)

    def run(net, jit_compile=False):
        own = config.replace(jit_compile=jit_compile)
        adam = keras.optimizers.Adam(1e-3)
        return net, train(net, rows, adam, own, None if jit_compile else ArrayRows(validation))

    fresh = BLUEPRINT.build(seed=0)
    alone = [run(BLUEPRINT.alone(fresh, member)) for member in range(MEMBERS)]
    return lambda jit_compile: run(BLUEPRINT.build(seed=0), jit_compile), alone


@pytest.mark.parametrize("jit_compile", [True, False])
def test_members_learn_as_they_would_alone(trained, jit_compile):
    together, alone = trained
    net, log = together(jit_compile)
    fresh = BLUEPRINT.build(seed=0).get_weights()
    assert all((a != b).any() for a, b in zip(fresh, net.get_weights(), strict=True))
    for member, (each, _) in enumerate(alone):
        got = member_weights(net, member)
        for a, b in zip(got, each.trainable_variables, strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=2e-6)
    # And the log is the members' mean.
    assert {"loss", "recon", "energy", "cov_diag"} <= set(log)
    assert jit_compile or "val_loss" in log
    for name, column in log.items():
        mean = np.mean([own[name] for _, own in alone], axis=0)
        np.testing.assert_allclose(column, mean, rtol=1e-4, err_msg=name)


def test_the_same_seed_trains_the_same_ensemble(trained):
    together, _ = trained
    (first, log), (again, log_again) = together(False), together(False)
    assert log == log_again
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@OBJECTIVES
def test_the_loss_of_stacked_outputs_has_the_value_of_each_member(normal_rows, reduction):
    x = standard(normal_rows)[:64]
    net = BLUEPRINT.build(seed=1)
    terms = aegmm_terms(recon_reduction=reduction)
    stacked = evaluate(terms, ForwardPass(x, *net(x, training=False)))
    for name, values in stacked.items():
        assert values.shape == (MEMBERS,)
        for member in range(MEMBERS):
            out = ForwardPass(x, *BLUEPRINT.alone(net, member)(x, training=False))
            want = evaluate(terms, out)[name]
            assert want.shape == ()
            np.testing.assert_allclose(values[member], want, rtol=1e-4, err_msg=name)


@OBJECTIVES
def test_the_objective_of_stacked_arrays_is_that_of_its_slices(reduction):
    """In float64, with rows that are images."""
    rng = np.random.default_rng(0)
    out = ForwardPass(
        x=rng.normal(size=(50, 4, 2)),
        x_recon=rng.normal(size=(MEMBERS, 50, 4, 2)),
        z=rng.normal(size=(MEMBERS, 50, 3)),
        gamma=rng.dirichlet(np.ones(2), size=(MEMBERS, 50)),
    )
    terms = aegmm_terms(0.3, 0.02, reduction)
    stacked = evaluate(terms, out)
    for member in range(MEMBERS):
        own = evaluate(terms, ForwardPass(out.x, *(value[member] for value in out[1:4])))
        for name, value in own.items():
            np.testing.assert_allclose(stacked[name][member], value, rtol=1e-9)


def test_a_metric_of_the_users_sees_every_member(normal_rows):
    x = standard(normal_rows)
    config = FitConfig(epochs=1, batch_size=100, seed=0, jit_compile=False)
    metric = ("error", keras.metrics.MeanSquaredError())
    net = BLUEPRINT.build(seed=0)
    log = train(net, x, keras.optimizers.SGD(0.0), config, log_metric=metric)
    np.testing.assert_allclose(log["error"], log["recon"], rtol=1e-4)
    recon = keras.ops.convert_to_numpy(net(x)[0])
    np.testing.assert_allclose(log["error"], np.square(recon - x).mean(), rtol=1e-4)


def test_a_loss_of_the_users_own_sees_one_member_at_a_time(normal_rows):
    x = standard(normal_rows)[:64]
    net = BLUEPRINT.build(seed=1)
    shapes = []

    def loss_fn(x_true, x_pred, z, gamma, w_energy, w_cov_diag):
        shapes.append(tuple(map(tuple, (x_true.shape, x_pred.shape, z.shape, gamma.shape))))
        return loss_aegmm(x_true, x_pred, z, gamma, w_energy=w_energy, w_cov_diag=w_cov_diag)

    out = ForwardPass(keras.ops.convert_to_tensor(x), *net(x))
    own = from_loss_fn(loss_fn, {"w_energy": 0.1, "w_cov_diag": 0.005}).function(out)["loss"]
    assert shapes == [((64, 6), (64, 6), (64, 4), (64, 3))] * MEMBERS
    want = from_terms(aegmm_terms()).function(out)["loss"]
    np.testing.assert_allclose(own, want, rtol=1e-5)


def test_a_loss_of_the_users_own_trains_an_ensemble(normal_rows):
    detector = OutlierAEGMM.from_blueprint(BLUEPRINT, FitConfig(), seed=0, threshold=0.0)
    detector.fit(normal_rows, loss_fn=loss_aegmm, epochs=1, batch_size=64, verbose=0)
    assert np.isfinite(detector.score(normal_rows)).all()
