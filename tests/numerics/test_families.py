"""What every family of mixtures keeps, whatever its formulas are."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp

from aegmm_detect.exceptions import IndefiniteCovarianceError
from aegmm_detect.numerics.density import Density
from aegmm_detect.numerics.families import GAUSSIAN, LAPLACIAN, family_of
from aegmm_detect.numerics.objective import ForwardPass, aegmm_terms, evaluate, from_terms

bounded = settings(max_examples=10)
REG = 1e-6


@pytest.fixture(params=[GAUSSIAN, LAPLACIAN], ids=lambda family: family.name)
def family(request):
    return request.param


def sample(seed=0, n=90, n_components=3, n_dim=4):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, n_dim)) @ rng.normal(size=(n_dim, n_dim)) + rng.normal(size=n_dim)
    return z, rng.dirichlet(np.ones(n_components), size=n)


def scoring(family, seed=0, **shape):
    z, gamma = sample(seed, **shape)
    return family.of_moments(family.moments_of_all(lambda: [(z, gamma)]), REG)


@pytest.mark.parametrize("cut", [0, 1, 37, 90])
def test_what_scores_is_what_the_loss_sees(family, cut):
    """The estimate of all batches has the energies of the training's own formulas."""
    z, gamma = sample()
    batches = [(z[:cut], gamma[:cut]), (z[cut:], gamma[cut:])]
    mixture = family.of_moments(family.moments_of_all(lambda: batches), REG)
    want = family.energy(z, family.mixture(z, gamma, REG))
    np.testing.assert_allclose(mixture.energy(z), want, rtol=1e-9, atol=1e-9)
    rounded = mixture.as_float32()
    assert {value.dtype for value in rounded} == {np.dtype("float32")}
    got = family.energy(z.astype("float32"), rounded)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@given(seed=st.integers(0, 2**32 - 1), n_dim=st.integers(1, 6))
@bounded
def test_a_mixture_that_is_moved_is_the_density_in_other_units(seed, n_dim):
    rng = np.random.default_rng(seed)
    centre, scale = rng.normal(size=n_dim), np.exp(rng.normal(size=n_dim))
    z, _ = sample(seed, n_dim=n_dim)
    for family in (GAUSSIAN, LAPLACIAN):
        mixture = scoring(family, seed, n_dim=n_dim)
        got = mixture.moved(centre, scale).energy(z * scale + centre)
        np.testing.assert_allclose(got, mixture.energy(z) + np.log(scale).sum(), rtol=1e-7)


def test_the_penalty_grows_as_rows_draw_together(family):
    z, gamma = sample()
    penalties = [family.penalty(family.mixture(z * f, gamma, REG)) for f in (10.0, 1.0, 0.1)]
    assert (np.diff(penalties) > 0).all()


def test_the_class_that_scores_names_its_arrays_and_their_shapes(family):
    mixture = scoring(family)
    shapes = family.scoring.shapes(3, 4)
    assert tuple(shapes) == mixture.names()
    assert {name: getattr(mixture, name).shape for name in shapes} == shapes
    assert family_of(mixture) is family
    assert Density.of_one(mixture).family is family
    assert 1 <= mixture.effective_components <= 3 + 1e-9
    assert mixture.n_dim == 4


@pytest.mark.parametrize("way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_arrays_are_read_only_in_copies_too(family, way):
    mixture = scoring(family)
    other = way(mixture)
    with pytest.raises(dataclasses.FrozenInstanceError):
        other.phi = np.ones(3)
    for name in mixture.names():
        np.testing.assert_array_equal(getattr(other, name), getattr(mixture, name))
        with pytest.raises(ValueError, match="read-only"):
            getattr(other, name)[...] = 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_raise_the_named_error(family, bad):
    z, gamma = sample()
    z[3, 1] = bad
    with pytest.raises(
        IndefiniteCovarianceError, match=r"not finite: their values are too large for a density\.$"
    ):
        family.of_moments(family.moments_of_all(lambda: [(z, gamma)]), REG)


def test_every_fit_makes_the_mixture_that_scores(family):
    z, _ = sample()
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    assert family.richest in family.fits
    for fit in family.fits.values():
        mixture = fit(z, 3, 1e-3, 0)
        assert type(mixture) is family.scoring
        assert mixture.mu.shape == (3, 4)
        assert np.isfinite(mixture.energy(z)).all()


@given(seed=st.integers(0, 1000), w_energy=st.floats(0, 10), w_penalty=st.floats(0, 10))
@bounded
def test_the_laplacian_loss_is_the_weighted_sum_of_scipys_terms(seed, w_energy, w_penalty):
    rng = np.random.default_rng(seed)
    z, gamma = sample(seed)
    out = ForwardPass(*rng.normal(size=(2, 90, 6)), z, gamma)
    log_prob, penalty = [], 0.0
    for phi, weights in zip(gamma.mean(axis=0), gamma.T, strict=True):
        mean = np.average(z, axis=0, weights=weights)
        scale = np.average(np.abs(z - mean), axis=0, weights=weights)
        log_prob.append(np.log(phi) + stats.laplace(mean, scale).logpdf(z).sum(axis=1))
        penalty += (1 / scale).sum()
    energy = -logsumexp(log_prob, axis=0).mean()
    terms = aegmm_terms(w_energy, w_penalty, family=LAPLACIAN)
    objective = from_terms(terms, family=LAPLACIAN)
    values = objective.function(out)
    assert tuple(values) == objective.columns == ("loss", "recon", "energy", "inverse_scale")
    np.testing.assert_allclose(values["energy"], energy, rtol=1e-9)
    np.testing.assert_allclose(values["inverse_scale"], penalty, rtol=1e-9)
    recon = np.square(out.x - out.x_recon).mean()
    want = recon + w_energy * energy + w_penalty * penalty
    np.testing.assert_allclose(evaluate(terms, out, family=LAPLACIAN)["loss"], want, rtol=1e-9)
