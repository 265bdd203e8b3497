import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from aegmm_detect.models import losses
from aegmm_detect.numerics import gmm
from aegmm_detect.numerics.objective import (
    ForwardPass,
    Term,
    aegmm_terms,
    evaluate,
    from_loss_fn,
    from_terms,
    warmed_up,
)

bounded = settings(max_examples=15)
weights = st.floats(0, 10)


def forward(seed=0, row_shape=(6,), n=50, n_components=2):
    """A batch in NumPy."""
    rng = np.random.default_rng(seed)
    return ForwardPass(
        x=rng.normal(size=(n, *row_shape)),
        x_recon=rng.normal(size=(n, *row_shape)),
        z=rng.normal(size=(n, 3)),
        gamma=rng.dirichlet(np.ones(n_components), size=n),
    )


def by_hand(out):
    """Reconstruction, energy and penalty of Zong et al., from NumPy and SciPy alone."""
    mass = out.gamma.sum(axis=0)
    log_prob, penalty = [], 0.0
    for k, weight in enumerate(out.gamma.T):
        mean = np.average(out.z, axis=0, weights=weight)
        cov = np.cov(out.z.T, aweights=weight, ddof=0)
        cov += gmm.DEFAULT_REG * np.trace(cov) / len(cov) * np.eye(len(cov))
        log_prob.append(np.log(mass[k] / mass.sum()) + multivariate_normal(mean, cov).logpdf(out.z))
        penalty += (1 / np.diag(cov)).sum()
    energies = -logsumexp(log_prob, axis=0)
    return {"recon": ((out.x - out.x_recon) ** 2).mean(), "energy": energies, "cov_diag": penalty}


@given(seed=st.integers(0, 1000), w_energy=weights, w_cov_diag=weights)
@bounded
def test_the_loss_is_the_weighted_sum_of_the_terms_of_the_paper(seed, w_energy, w_cov_diag):
    out = forward(seed)
    values = evaluate(aegmm_terms(w_energy, w_cov_diag), out)
    want = by_hand(out)
    assert list(values) == ["loss", "recon", "energy", "cov_diag"]
    np.testing.assert_allclose(values["recon"], want["recon"], rtol=1e-12)
    np.testing.assert_allclose(values["energy"], want["energy"].mean(), rtol=1e-9)
    np.testing.assert_allclose(values["cov_diag"], want["cov_diag"], rtol=1e-9)
    loss = want["recon"] + w_energy * want["energy"].mean() + w_cov_diag * want["cov_diag"]
    np.testing.assert_allclose(values["loss"], loss, rtol=1e-9)


@pytest.mark.parametrize("row_shape", [(1,), (6,), (4, 4, 3)])
def test_a_summed_reconstruction_is_the_mean_times_the_number_of_features(row_shape):
    out = forward(row_shape=row_shape)
    mean, total = (
        evaluate(aegmm_terms(recon_reduction=reduction), out) for reduction in ("mean", "sum")
    )
    n_features = np.prod(row_shape)
    np.testing.assert_allclose(total["recon"], n_features * np.asarray(mean["recon"]), rtol=1e-12)
    squared = ((out.x - out.x_recon) ** 2).reshape(len(out.x), -1)
    np.testing.assert_allclose(total["recon"], squared.sum(axis=1).mean(), rtol=1e-12)
    np.testing.assert_allclose(total["energy"], mean["energy"], rtol=1e-12)
    np.testing.assert_allclose(
        total["loss"] - total["recon"], mean["loss"] - mean["recon"], rtol=1e-9
    )


def test_row_order_means_nothing_to_the_loss():
    out = forward()
    order = np.random.default_rng(1).permutation(50)
    shuffled = ForwardPass(*(part[order] for part in out[:4]))
    np.testing.assert_allclose(
        evaluate(aegmm_terms(), shuffled)["loss"], evaluate(aegmm_terms(), out)["loss"]
    )


def test_another_term_adds_its_weighted_value_and_its_column():
    out = forward()
    extra = Term("code_size", 3.0, lambda out, _: ops.mean(ops.square(out.z)))
    plain, more = evaluate(aegmm_terms(), out), evaluate((*aegmm_terms(), extra), out)
    np.testing.assert_allclose(more["code_size"], (out.z**2).mean())
    np.testing.assert_allclose(more["loss"], plain["loss"] + 3.0 * (out.z**2).mean())


def test_the_columns_of_an_objective_are_the_keys_of_what_it_returns():
    out = forward()
    objective = from_terms(aegmm_terms())
    values = objective.function(out)
    assert tuple(values) == objective.columns
    np.testing.assert_array_equal(values["loss"], evaluate(aegmm_terms(), out)["loss"])


@pytest.mark.parametrize("per_row", [True, False])
def test_a_loss_of_the_users_own_may_return_a_scalar_or_one_value_per_row(per_row):
    seen = {}

    def loss_fn(x_true, x_pred, z, gamma, w_energy, w_cov_diag):
        seen.update(w_energy=w_energy, w_cov_diag=w_cov_diag, args=(x_true, x_pred, z, gamma))
        rows = ops.mean(ops.square(x_true - x_pred), axis=-1)
        return rows if per_row else ops.mean(rows)

    out = forward()
    objective = from_loss_fn(loss_fn, {"w_energy": 0.3, "w_cov_diag": 0.7})
    values = objective.function(out)
    assert objective.columns == ("loss",)
    assert tuple(values) == ("loss",)
    assert values["loss"].shape == ()
    np.testing.assert_allclose(values["loss"], by_hand(out)["recon"])
    assert (seen["w_energy"], seen["w_cov_diag"]) == (0.3, 0.7)
    assert all(got is want for got, want in zip(seen["args"], out[:4], strict=True))


# The functions of alibi-detect's interface.


@given(seed=st.integers(0, 1000), w_energy=weights, w_cov_diag=weights)
@bounded
def test_loss_aegmm_is_the_default_objective(seed, w_energy, w_cov_diag):
    out = forward(seed)
    want = evaluate(aegmm_terms(w_energy, w_cov_diag), out)["loss"]
    np.testing.assert_allclose(
        losses.loss_aegmm(*out[:4], w_energy=w_energy, w_cov_diag=w_cov_diag), want
    )


def test_the_default_weights_are_those_of_the_paper():
    out = forward()
    want = evaluate(aegmm_terms(0.1, 0.005), out)["loss"]
    np.testing.assert_array_equal(losses.loss_aegmm(*out[:4]), want)
    np.testing.assert_array_equal(evaluate(aegmm_terms(), out)["loss"], want)


@given(seed=st.integers(0, 1000), n_components=st.integers(1, 4))
@bounded
def test_gmm_params_are_consistent_with_each_other(seed, n_components):
    out = forward(seed, n_components=n_components)
    phi, mu, cov, L, log_det_cov = map(np.asarray, losses.gmm_params(out.z, out.gamma))
    mass = out.gamma.sum(axis=0)
    np.testing.assert_allclose(phi, mass / len(out.z))
    np.testing.assert_allclose(mu, out.gamma.T @ out.z / mass[:, None], atol=1e-12)
    np.testing.assert_array_equal(L, np.tril(L))
    np.testing.assert_allclose(L, np.linalg.cholesky(cov), atol=1e-9)
    np.testing.assert_allclose(log_det_cov, np.linalg.slogdet(cov)[1], atol=1e-9)


@given(seed=st.integers(0, 1000), n_components=st.integers(1, 4))
@bounded
def test_gmm_energy_agrees_with_the_formula(seed, n_components):
    out = forward(seed, n_components=n_components)
    params = [np.asarray(value) for value in losses.gmm_params(out.z, out.gamma)]
    want = by_hand(out)
    energies, penalty = losses.gmm_energy(out.z, *params, return_mean=False)
    np.testing.assert_allclose(energies, want["energy"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(penalty, want["cov_diag"], rtol=1e-9)
    mean, _ = losses.gmm_energy(out.z, *params)
    np.testing.assert_allclose(mean, want["energy"].mean(), rtol=1e-9)


def test_gmm_energy_believes_each_of_its_arguments():
    """`log_det_cov` moves the energies, `cov` only the penalty; neither is recomputed from `L`."""
    out = forward()
    phi, mu, cov, L, log_det_cov = map(np.asarray, losses.gmm_params(out.z, out.gamma))
    energies, penalty = losses.gmm_energy(out.z, phi, mu, cov, L, log_det_cov, return_mean=False)
    moved, _ = losses.gmm_energy(out.z, phi, mu, cov, L, log_det_cov + 2.0, return_mean=False)
    np.testing.assert_allclose(moved, energies + 1.0)
    same, half = losses.gmm_energy(out.z, phi, mu, 2 * cov, L, log_det_cov, return_mean=False)
    np.testing.assert_array_equal(same, energies)
    np.testing.assert_allclose(half, penalty / 2)


@given(share=st.floats(0.01, 0.99), progress=st.floats(0.0, 1.0))
@bounded
def test_a_warm_start_leaves_the_reconstruction_alone_for_its_share(share, progress):
    out = forward()._replace(progress=progress)
    values = evaluate(aegmm_terms(start_at=share), out)
    want = values["recon"] if progress < share else evaluate(aegmm_terms(), out)["loss"]
    np.testing.assert_allclose(values["loss"], want, rtol=1e-6)


@given(share=st.floats(0.01, 1.0), progress=st.floats(0.0, 1.0), later=st.floats(0.0, 1.0))
@bounded
def test_a_warm_up_rises_from_nothing_to_its_weight(share, progress, later):
    weight = warmed_up(3.0, share)
    here, there = (float(weight(p)) for p in sorted((progress, later)))
    assert float(weight(0.0)) == 0.0 <= here <= there <= 3.0 == float(weight(1.0))
    assert warmed_up(3.0, 0.0) == 3.0
