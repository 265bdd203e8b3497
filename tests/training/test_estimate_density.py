"""The density after training, as the settings say."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.exceptions import ConfigurationError, IndefiniteCovarianceError
from aegmm_detect.numerics import laplace
from aegmm_detect.numerics.families import GAUSSIAN, LAPLACIAN
from aegmm_detect.training.data import ArrayRows, StreamRows
from aegmm_detect.training.estimate import (
    check_parts,
    estimate_density,
    estimate_mixture,
    principal_components,
    sample_rows,
)
from aegmm_detect.training.refit import Refit, refit, without_strangest

bounded = settings(max_examples=25)
EM = DensityConfig(n_components=2)


def rows(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6))).astype("float32")


def stream(array, size):
    """The same rows in batches of `size`."""
    parts = range(0, len(array), size)
    return StreamRows(lambda: (array[i : i + size] for i in parts), len(array), array.shape[1:])


def plain(batch):
    """A net in NumPy: three features of a row, and memberships that follow their sign."""
    batch = np.asarray(batch)
    share = 1 / (1 + np.exp(-batch[:, :1]))
    return None, batch[:, :3], np.concatenate([share, 1 - share], axis=1)


def stacked(batch):
    """Two such nets; the second has the first's z in another order and unit."""
    _, z, gamma = plain(batch)
    return None, np.stack([z, 10 * z[:, ::-1]]), np.stack([gamma, gamma[:, ::-1]])


def assert_same(got, want, rtol=1e-12):
    assert len(got.mixtures) == len(want.mixtures)
    for a, b in zip(got.mixtures, want.mixtures, strict=True):
        for name in b.names():
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(got.centre, want.centre, rtol=rtol, atol=1e-12)
    np.testing.assert_allclose(got.spread, want.spread, rtol=rtol)


def density(source, config=EM, members=None, seed=0, family=GAUSSIAN):
    forward = plain if members is None else stacked
    return estimate_density(forward, source, config, members, seed, family)


# --- which rows ------------------------------------------------------------------------------


@given(
    n=st.integers(2, 300),
    most=st.integers(2, 320),
    cut=st.integers(1, 320),
    seed=st.integers(0, 2**31 - 1),
)
@bounded
def test_the_sample_of_a_stream_is_that_of_an_array(n, most, cut, seed):
    array = np.arange(n, dtype="float32")[:, None]
    sample = sample_rows(ArrayRows(array), most, seed)
    np.testing.assert_array_equal(sample_rows(stream(array, cut), most, seed), sample)
    assert len(sample) == min(n, most)
    assert (np.diff(sample[:, 0]) > 0).all()  # in order, none twice
    assert set(sample[:, 0]) <= set(array[:, 0])


def test_the_seed_draws_the_sample():
    array = np.arange(1000, dtype="float32")[:, None]
    first, again, other = (sample_rows(ArrayRows(array), 50, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    # From all rows alike.
    draws = [sample_rows(ArrayRows(array), 50, seed).mean() for seed in range(200)]
    assert abs(np.mean(draws) - 499.5) < 4 * 288.7 / np.sqrt(50 * 200)


@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("n_components", [2, "auto", None])
def test_the_density_of_a_stream_is_that_of_an_array(members, n_components):
    beside = 0 if n_components is None else 2
    config = DensityConfig(n_components=n_components, principal_components=beside, max_rows=230)
    array = rows()
    want = density(ArrayRows(array), config, members)
    for size in (400, 7, 129):
        assert_same(density(stream(array, size), config, members), want, rtol=1e-7)


@pytest.mark.parametrize("n_components", [5, "auto"])
def test_a_sample_smaller_than_the_wanted_components_can_be_fitted(n_components):
    config = DensityConfig(n_components=n_components, max_rows=4)
    made = density(ArrayRows(rows(2000)), config)
    assert max(len(mixture.phi) for mixture in made.mixtures) <= 4


# --- which mixtures --------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 50, 400])
def test_without_members_and_components_it_is_the_density_nets_own_mixture(n):
    source = ArrayRows(rows(n))
    made = density(source, DensityConfig(max_rows=2))
    assert made.projection is None
    assert made.limit is None
    np.testing.assert_array_equal([made.centre, made.spread], [[0.0], [1.0]])
    (got,), want = made.mixtures, estimate_mixture(plain, lambda: source.batches(8192))
    for name in ("phi", "mu", "cov", "W"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))


def test_members_without_components_have_their_own_mixtures_of_all_rows():
    source = ArrayRows(rows())
    made = density(source, DensityConfig(max_rows=50), members=2)
    assert len(made.mixtures) == 2
    for member, mixture in enumerate(made.mixtures):

        def alone(batch, member=member):
            _, z, gamma = stacked(batch)
            return None, z[member], gamma[member]

        want = estimate_mixture(alone, lambda: source.batches(8192))
        np.testing.assert_allclose(mixture.mu, want.mu, rtol=1e-9)
        np.testing.assert_allclose(mixture.cov, want.cov, rtol=1e-9)


def test_members_with_components_have_refits_of_their_z_and_the_projection():
    array = rows()
    parts = ("full", "diagonal", "single")
    config = DensityConfig(n_components="auto", principal_components=4, parts=parts, limit=3.0)
    made = density(ArrayRows(array), config, members=2)
    assert made.limit == 3.0
    # In double precision: float32 would square the rounding.
    beside = PCA(4, svd_solver="covariance_eigh").fit_transform(array.astype(np.float64))
    np.testing.assert_allclose(made.projection(array), beside, rtol=1e-6, atol=1e-6)
    energies = []
    for member, mixtures in enumerate(made.members):
        z = stacked(array)[1][member].astype(np.float64)
        whole = np.concatenate([z, beside], axis=1)
        jobs = [Refit(whole, 4), Refit(whole, 4, "diag"), Refit(z, 1, "diag")]
        for mixture, job, want in zip(mixtures, jobs, refit(jobs, config.reg, 0), strict=True):
            assert mixture.mu.shape == (job.n_components, job.z.shape[1])
            energies.append(mixture.energy(job.z))
            np.testing.assert_allclose(energies[-1], want.energy(job.z), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(made.centre, np.median(energies, axis=1), rtol=1e-6, atol=1e-6)
    lower, upper = np.percentile(energies, [25, 75], axis=1)
    np.testing.assert_allclose(made.spread, upper - lower, rtol=1e-5)


def test_a_share_of_the_rows_is_left_out_of_all_parts_alike():
    array = rows()
    config = DensityConfig(n_components=2, parts=("diagonal", "single"), trim=0.25)
    made = density(ArrayRows(array), config)
    z = plain(array)[1].astype(np.float64)
    (first,) = refit([Refit(z, 2)], config.reg, 0)
    kept = z[without_strangest(z, first, 0.25)]
    assert len(kept) == 300
    want = refit([Refit(kept, 2, "diag"), Refit(kept, 1, "diag")], config.reg, 0)
    for mixture, other in zip(made.mixtures, want, strict=True):
        np.testing.assert_allclose(mixture.mu, other.mu, rtol=1e-9)
        np.testing.assert_allclose(mixture.cov, other.cov, rtol=1e-9)
    # Scaled by all rows.
    np.testing.assert_allclose(made.centre, [np.median(m.energy(z)) for m in want], rtol=1e-9)


def test_a_single_mixture_is_the_score():
    made = density(ArrayRows(rows()))
    assert len(made.mixtures) == 1
    np.testing.assert_array_equal([made.centre, made.spread], [[0.0], [1.0]])


@pytest.mark.parametrize(
    "config", [DensityConfig(n_components=2, parts=("diagonal",)), DensityConfig()]
)
@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("family", [GAUSSIAN, LAPLACIAN], ids=lambda family: family.name)
def test_z_that_is_not_finite_is_refused(config, members, family):
    array = rows()
    array[3, 1] = np.inf
    remedy = r"\. Train with normalize='standard', a lower learning rate or clip_norm=1\.0\.$"
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(IndefiniteCovarianceError, match=remedy),
    ):
        density(ArrayRows(array), config, members, family=family)


def test_parts_that_a_family_lacks_are_refused_where_they_would_be_fitted():
    refit = DensityConfig(n_components=2)
    check_parts(GAUSSIAN, refit)
    with pytest.raises(ConfigurationError, match=r"no 'full' part.*\('diagonal', 'single'\)"):
        check_parts(LAPLACIAN, refit)
    check_parts(LAPLACIAN, DensityConfig())  # no refit
    check_parts(LAPLACIAN, DensityConfig(n_components="auto", parts=("single", "diagonal")))


# --- Laplacian mixtures ----------------------------------------------------------------------


@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("n_components", [2, None])
def test_the_laplacian_density_of_a_stream_is_that_of_an_array(members, n_components):
    refit_only = {"parts": ("diagonal", "single"), "principal_components": 2, "trim": 0.1}
    given = {} if n_components is None else refit_only
    config = DensityConfig(n_components=n_components, max_rows=230, **given)
    array = rows()
    want = density(ArrayRows(array), config, members, family=LAPLACIAN)
    assert want.family is LAPLACIAN
    for size in (400, 7, 129):
        got = density(stream(array, size), config, members, family=LAPLACIAN)
        assert_same(got, want, rtol=1e-7)


def test_the_density_nets_own_laplacian_is_the_estimate_of_all_rows_at_once():
    array = rows()
    _, z, gamma = plain(array)
    (got,) = density(stream(array, 7), DensityConfig(), family=LAPLACIAN).mixtures
    want = laplace.mixture(laplace.moments(z.astype(np.float64), gamma.astype(np.float64)))
    for name in got.names():
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=1e-9, atol=1e-12)


def test_laplacian_parts_leave_out_the_strangest_rows_of_a_first_laplacian():
    array = rows()
    config = DensityConfig(n_components=2, parts=("diagonal", "single"), trim=0.25)
    made = density(ArrayRows(array), config, family=LAPLACIAN)
    z = plain(array)[1].astype(np.float64)
    (first,) = refit([Refit(z, 2, "diag", LAPLACIAN)], config.reg, 0)
    kept = z[without_strangest(z, first, 0.25)]
    jobs = [Refit(kept, 2, "diag", LAPLACIAN), Refit(kept, 1, "diag", LAPLACIAN)]
    for mixture, want in zip(made.mixtures, refit(jobs, config.reg, 0), strict=True):
        for name in want.names():
            np.testing.assert_array_equal(getattr(mixture, name), getattr(want, name))
    centre, deviation = kept.mean(axis=0), np.abs(kept - kept.mean(axis=0)).mean(axis=0)
    np.testing.assert_allclose(made.mixtures[1].mu[0], centre, rtol=1e-9)
    np.testing.assert_allclose(made.mixtures[1].scale[0], deviation, rtol=1e-9)


# --- principal components --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_rows", "most", "want"),
    [
        (400, 20, 6),  # no more than columns
        (400, 4, 4),  # than wanted
        (47, 20, 5),  # than an eighth of the rows
        (16, 20, 2),
        (8, 20, 1),
        (7, 20, None),
        (400, 0, None),
    ],
)
def test_principal_components_are_capped(n_rows, most, want):
    sample = rows(n_rows)
    projection = principal_components(sample, most)
    if want is None:
        assert projection is None
        return
    assert projection.axes.shape == (6, want)
    oracle = PCA(want, svd_solver="full").fit(sample.astype(np.float64)).transform(sample)
    np.testing.assert_allclose(np.abs(projection(sample)), np.abs(oracle), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("n_rows", "n_features"), [(64, 300), (300, 64), (64, 64)])
def test_principal_components_span_the_same_space_however_they_are_found(n_rows, n_features):
    rng = np.random.default_rng(0)
    scales = np.r_[np.array([9.0, 7.0, 5.0, 3.0]), np.full(n_features - 4, 0.1)]
    sample = (rng.normal(size=(n_rows, n_features)) * scales + 2.0).astype("float32")
    found = principal_components(sample, 4)
    want = PCA(4, svd_solver="full").fit(sample.astype(np.float64))
    np.testing.assert_allclose(
        found.axes @ found.axes.T, want.components_.T @ want.components_, atol=1e-9
    )
    np.testing.assert_allclose(found.mean, want.mean_, rtol=1e-9)
    batches = StreamRows(lambda: iter(np.array_split(sample, 7)), n_rows, (n_features,))
    streamed = principal_components(sample_rows(batches, n_rows, 0), 4)
    np.testing.assert_array_equal(streamed.axes, found.axes)


def test_principal_components_of_a_few_long_rows_take_little_memory():
    sample = np.random.default_rng(0).normal(size=(32, 4000)).astype("float32")
    tracemalloc.start()
    projection = principal_components(sample, 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert projection.axes.shape == (4000, 4)
    assert peak < 4000 * 4000 * 8 / 4  # a matrix of all features would be four times as much


def test_principal_components_of_images_are_those_of_their_pixels():
    sample = rows()
    flat, images = (principal_components(s, 3) for s in (sample, sample.reshape(-1, 3, 2)))
    np.testing.assert_array_equal(flat.axes, images.axes)
    np.testing.assert_array_equal(flat(sample), images(sample.reshape(-1, 3, 2)))


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_rows_that_are_all_alike_have_a_density(value):
    config = DensityConfig(n_components="auto", principal_components=3)
    array = np.full((300, 6), value, dtype="float32")
    made = density(ArrayRows(array), config, members=2)
    assert np.isfinite(made.centre).all()
    assert (made.spread > 0).all()


def test_components_that_are_only_rounding_are_not_blown_up():
    """A column that is the sum of two others, computed in float32: what is left is rounding."""
    rng = np.random.default_rng(0)
    array = rng.normal(size=(2000, 3)).astype("float32")
    array[:, 2] = array[:, 0] + array[:, 1]
    config = DensityConfig(n_components=1, principal_components=3, reg=1e-3)
    made = density(ArrayRows(array), config)
    energy = made.mixtures[0].energy
    z, behind = np.zeros((2, made.mixtures[0].n_dim - 3)), made.projection(array[:2])
    off = behind.copy()
    off[:, 2] += 1e-5  # a hundred times the rounding
    near, far = (energy(np.concatenate([z, part], axis=1)) for part in (behind, off))
    np.testing.assert_allclose(far, near, atol=0.01)
    # A broken sum is still seen.
    off[:, 2] += 1.0
    assert (energy(np.concatenate([z, off], axis=1)) > near + 10.0).all()
