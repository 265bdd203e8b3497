"""Likelihoods of reconstructions equal SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aegmm_detect.numerics.elbo import ReconCovariance, covariance_of, negative_log_likelihood

RNG = np.random.default_rng(0)
X, X_RECON = RNG.normal(size=(2, 30, 4))
MIX = RNG.normal(size=(4, 4))
COVARIANCE = MIX @ MIX.T + np.eye(4)

CASES = {
    "same": (ReconCovariance.same(0.3, 4), 0.09 * np.eye(4)),
    "diagonal": (ReconCovariance.diagonal(np.diagonal(COVARIANCE)), np.diag(np.diag(COVARIANCE))),
    "full": (ReconCovariance.full(COVARIANCE), COVARIANCE),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_density_of_a_normal_distribution_around_the_reconstruction(name):
    covariance, matrix = CASES[name]
    got = np.asarray(negative_log_likelihood(X, X_RECON, covariance))
    want = -stats.multivariate_normal(np.zeros(4), matrix).logpdf(X - X_RECON)
    assert got.shape == (30, 1)
    np.testing.assert_allclose(got[:, 0], want, rtol=1e-5)


def test_images_count_as_rows_of_their_pixels():
    covariance = ReconCovariance.same(0.3, 4)
    shaped = negative_log_likelihood(X.reshape(30, 2, 2), X_RECON.reshape(30, 2, 2), covariance)
    flat = negative_log_likelihood(X, X_RECON, covariance)
    np.testing.assert_array_equal(np.asarray(shaped), np.asarray(flat))


@given(st.integers(1, 29))
def test_the_covariance_of_batches_is_that_of_all_rows(cut):
    want = np.cov(X.T, bias=True)
    np.testing.assert_allclose(covariance_of([X[:cut], X[cut:]]), want, rtol=2e-5, atol=1e-12)


def test_constant_columns_have_a_likelihood():
    variances = np.array([0.0, 1.0])
    for covariance in (
        ReconCovariance.diagonal(variances),
        ReconCovariance.full(np.diag(variances)),
    ):
        assert np.isfinite(covariance.whiten).all()
        assert np.isfinite(covariance.log_det)


def test_variances_of_very_different_sizes_stay_what_they_are():
    variances = np.array([1e-3, 1.0, 1e4])
    for covariance in (
        ReconCovariance.diagonal(variances),
        ReconCovariance.full(np.diag(variances)),
    ):
        found = (
            np.square(covariance.whiten).sum(axis=0)
            if covariance.whiten.ndim == 2
            else (np.square(covariance.whiten))
        )
        np.testing.assert_allclose(1.0 / found, variances, rtol=1e-5)
        assert covariance.log_det == pytest.approx(np.log(variances).sum(), abs=1e-5)


def test_nearly_constant_columns_of_training_rows_do_not_decide_alone():
    rows = X * np.array([1.0, 1.0, 1.0, 1e-9])
    assert covariance_of([rows])[3, 3] > 1e-7


def test_a_matrix_that_is_not_symmetric_is_no_covariance():
    lopsided = np.eye(3)
    lopsided[0, 2] = 0.5
    with pytest.raises(np.linalg.LinAlgError, match="symmetric"):
        ReconCovariance.full(lopsided)
