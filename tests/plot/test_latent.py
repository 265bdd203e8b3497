"""Ellipses are those of the mixture; points are where the detector sees the rows."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from aegmm_detect.exceptions import ConfigurationError, InvalidInputError, NotFittedError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.plot import LatentDisplay
from aegmm_detect.plot.latent import _plane
from tests.untrained import untrained


@pytest.fixture(scope="module")
def ensemble(normal_rows):
    detector = OutlierAEGMM.auto(6, ensemble=2, seed=0, threshold=0.0)
    with untrained():
        detector.fit(normal_rows, epochs=1, verbose=0)
    return detector


def random_mixture(seed, k=3):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(k, 2, 2))
    covariances = roots @ roots.transpose(0, 2, 1) + 1e-3 * np.eye(2)
    return rng.normal(size=(k, 2)), covariances, rng.dirichlet(np.ones(k))


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), n_std=st.floats(0.1, 5.0))
def test_axes_of_ellipses_are_roots_of_eigenvalues(seed, n_std):
    means, covariances, weights = random_mixture(seed)
    display = LatentDisplay(z=means, means=means, covariances=covariances, weights=weights).plot(
        n_std=(n_std,)
    )
    for mean, covariance, ellipse in zip(means, covariances, display.ellipses_, strict=True):
        eigenvalues = np.linalg.eigvalsh(covariance)[::-1]
        halves = np.array([ellipse.width, ellipse.height]) / 2.0
        np.testing.assert_allclose(halves, n_std * np.sqrt(eigenvalues))
        np.testing.assert_array_equal(ellipse.center, mean)
        # Every point of it is n_std away from the mean, in the metric of the covariance.
        edge = ellipse.get_patch_transform().transform(ellipse.get_path().vertices[::3]) - mean
        distance = np.einsum("nd,de,ne->n", edge, np.linalg.inv(covariance), edge)
        np.testing.assert_allclose(np.sqrt(distance), n_std, rtol=1e-6)
    plt.close("all")


def test_there_are_ellipses_of_one_and_two_standard_deviations(fitted, normal_rows):
    display = LatentDisplay.from_detector(fitted, normal_rows)
    widths = np.array([ellipse.width for ellipse in display.ellipses_]).reshape(2, 2)
    np.testing.assert_allclose(widths[:, 1], 2.0 * widths[:, 0])
    assert display.ellipses_[0].get_label() == "component, 1 and 2 std"


def test_points_are_the_first_dimensions_of_z(fitted, normal_rows):
    display = LatentDisplay.from_detector(fitted, normal_rows, view="first")
    _, z, _ = fitted.net(normal_rows, training=False)
    # A graph of the net rounds otherwise than the net itself.
    np.testing.assert_allclose(display.z, np.asarray(z)[:, :2], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(display.ax_.collections[0].get_offsets(), display.z)
    np.testing.assert_array_equal(display.means, fitted.mu[:, :2])
    np.testing.assert_array_equal(display.covariances, fitted.cov[:, :2, :2])


def test_principal_axes_are_those_of_rows_drawn_from_the_mixture(fitted):
    density = fitted.mixture
    centre, axes, labels = _plane(density, "pca")
    rng = np.random.default_rng(0)
    which = rng.choice(len(density.phi), 100_000, p=density.phi)
    noise = np.einsum("nde,ne->nd", density.L[which], rng.normal(size=(100_000, density.n_dim)))
    pca = PCA(2).fit(density.mu[which] + noise)
    np.testing.assert_allclose(centre, pca.mean_, atol=0.05 * np.sqrt(pca.explained_variance_[0]))
    np.testing.assert_allclose(np.abs(np.sum(axes * pca.components_.T, axis=0)), 1.0, atol=1e-2)
    shares = [f"({share:.0%})" for share in pca.explained_variance_ratio_]
    assert [label.split()[-1] for label in labels] == shares


def test_the_plane_does_not_depend_on_the_rows(fitted, normal_rows):
    few = LatentDisplay.from_detector(fitted, normal_rows[:10])
    all_rows = LatentDisplay.from_detector(fitted, normal_rows)
    np.testing.assert_allclose(few.z, all_rows.z[:10], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(few.means, all_rows.means)


@pytest.mark.parametrize(("member", "mixture"), [(0, 0), (1, 0), (1, 2)])
def test_a_mixture_of_an_ensemble_sees_its_members_z(ensemble, normal_rows, member, mixture):
    display = LatentDisplay.from_detector(
        ensemble, normal_rows, member=member, mixture=mixture, view="first"
    )
    net, mixtures = ensemble.members[member]
    _, z, _ = net(ensemble.state.prepared(normal_rows), training=False)
    np.testing.assert_allclose(display.z, np.asarray(z)[:, :2], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(display.means, mixtures[mixture].mu[:, :2])


def test_rows_with_nan_are_left_out_with_their_labels(fitted, normal_rows):
    X, y = normal_rows[:50].copy(), np.arange(50) % 2
    X[3, 0] = np.nan
    display = LatentDisplay.from_detector(fitted, X, y=y)
    assert len(display.z) == 49
    np.testing.assert_array_equal(display.y, np.delete(y, 3))


def test_rows_beyond_the_axes_are_counted():
    z = np.vstack([np.random.default_rng(0).normal(size=(200, 2)), [[1e3, 0.0], [0.0, -1e4]]])
    one = {"means": [[0.0, 0.0]], "covariances": [np.eye(2)], "weights": [1.0]}
    display = LatentDisplay(z=z, **one).plot()
    assert display.ax_.get_title() == "2 of 202 rows lie beyond the axes"
    assert np.abs(display.ax_.get_xlim()).max() < 20.0
    assert LatentDisplay(z=z[:200], **one).plot().ax_.get_title() == ""


def test_what_there_is_none_of_is_refused(fitted, ensemble, normal_rows, make_nets):
    draw = LatentDisplay.from_detector
    with pytest.raises(ConfigurationError, match=r"member=2: there are 2, counted from 0"):
        draw(ensemble, normal_rows, member=2)
    with pytest.raises(ConfigurationError, match=r"mixture=-1: there are 1"):
        draw(fitted, normal_rows, mixture=-1)
    with pytest.raises(ConfigurationError, match="view='umap': pass 'pca' or 'first'"):
        draw(fitted, normal_rows, view="umap")
    with pytest.raises(InvalidInputError, match="y has shape"):
        draw(fitted, normal_rows, y=[0, 1])
    with pytest.raises(InvalidInputError, match="5 features"):
        draw(fitted, normal_rows[:, :5])
    with pytest.raises(InvalidInputError, match="X holds no rows"):
        draw(fitted, normal_rows[:0])
    with pytest.raises(InvalidInputError, match="no row without NaN or infinity"):
        draw(fitted, normal_rows[:1] * np.nan)
    with pytest.raises(NotFittedError):
        draw(OutlierAEGMM(threshold=1.0, **make_nets()), normal_rows)
