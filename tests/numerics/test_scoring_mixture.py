import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.exceptions import IndefiniteCovarianceError
from aegmm_detect.numerics import frozen_mixture, gmm
from aegmm_detect.numerics.scoring_mixture import ScoringMixture

bounded = settings(max_examples=15)
ARRAYS = ("phi", "mu", "cov", "W", "L", "log_det_cov")


def moments(seed=0, n_components=3, n_dim=4, rank=None, dtype="float64"):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(90, rank or n_dim)) @ rng.normal(size=(rank or n_dim, n_dim))
    gamma = rng.dirichlet(np.ones(n_components), size=90)
    return gmm.moments(z.astype(dtype), gamma.astype(dtype))


@given(
    seed=st.integers(0, 2**32 - 1),
    n_components=st.integers(1, 4),
    n_dim=st.integers(1, 10),
    rank=st.integers(1, 10),
)
@bounded
def test_all_parameters_describe_one_mixture(seed, n_components, n_dim, rank):
    mixture = ScoringMixture.from_moments(moments(seed, n_components, n_dim, min(rank, n_dim)))
    assert mixture.phi.shape == (n_components,)
    assert mixture.mu.shape == (n_components, n_dim)
    assert mixture.phi.sum() == pytest.approx(1)
    np.testing.assert_array_equal(mixture.L, np.tril(mixture.L))
    scale = np.abs(mixture.cov).max()
    np.testing.assert_allclose(
        mixture.L @ mixture.L.swapaxes(1, 2), mixture.cov, rtol=1e-9, atol=1e-12 * scale
    )
    eye = np.broadcast_to(np.eye(n_dim), mixture.cov.shape)
    np.testing.assert_allclose(mixture.W @ mixture.L, eye, atol=1e-8)
    sign, log_det = np.linalg.slogdet(mixture.cov)
    assert (sign == 1).all()
    np.testing.assert_allclose(mixture.log_det_cov, log_det, rtol=1e-6, atol=1e-6)
    assert 1 <= mixture.effective_components <= n_components + 1e-9


def test_float32_moments_give_float64_parameters():
    mixture = ScoringMixture.from_moments(moments(dtype="float32"))
    assert {getattr(mixture, name).dtype for name in ARRAYS} == {np.dtype("float64")}
    want = ScoringMixture.from_moments(moments())
    np.testing.assert_allclose(mixture.cov, want.cov, rtol=1e-3, atol=1e-4)


def test_energies_of_many_rows_are_those_of_each(monkeypatch):
    mixture = ScoringMixture.from_moments(moments())
    z = np.random.default_rng(0).normal(size=(50, 4))
    want = np.concatenate([mixture.energy(row[None]) for row in z])
    for numbers in (1, 100, 10**6):  # of an intermediate array, 12 for each row
        monkeypatch.setattr(frozen_mixture, "_CHUNK", numbers)
        np.testing.assert_allclose(mixture.energy(z), want, rtol=1e-12)
    assert mixture.energy(z[:0]).shape == (0,)


def test_attributes_and_arrays_are_read_only():
    mixture = ScoringMixture.from_moments(moments())
    with pytest.raises(dataclasses.FrozenInstanceError):
        mixture.phi = np.ones(3)
    for name in ARRAYS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(mixture, name)[...] = 0.0


def test_arrays_are_copies():
    parts = [np.array(value) for value in gmm.mixture(moments())]
    mixture = ScoringMixture(*parts)
    before = mixture.cov.copy()
    parts[2][...] = -1.0
    np.testing.assert_array_equal(mixture.cov, before)


def test_float32_parameters_are_the_rounded_ones():
    mixture = ScoringMixture.from_moments(moments())
    rounded = mixture.as_float32()
    for got, want in zip(rounded, dataclasses.astuple(mixture), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, want.astype("float32"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", gmm.Moments._fields)
@pytest.mark.parametrize("n_dim", [4, 10])
def test_moments_that_are_not_finite_raise_the_named_error(bad, field, n_dim):
    parts = {name: np.array(value) for name, value in moments(n_dim=n_dim)._asdict().items()}
    parts[field].flat[0] = bad
    with pytest.raises(
        IndefiniteCovarianceError, match=r"not finite: their values are too large for a density\.$"
    ):
        ScoringMixture.from_moments(gmm.Moments(**parts))


def test_an_empty_component_is_no_error():
    mass, mean, scatter = map(np.array, moments())
    mass[1], scatter[1] = 0.0, 0.0
    mixture = ScoringMixture.from_moments(gmm.Moments(mass, mean, scatter))
    assert mixture.phi[1] == 0
    assert mixture.effective_components < 2 + 1e-9
