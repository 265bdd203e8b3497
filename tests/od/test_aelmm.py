"""What the Laplacian detector does in its own way; the rest is in tests/conformance."""

import dataclasses

import keras
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.exceptions import ArtefactError, CheckpointError, ConfigurationError
from aegmm_detect.od import OutlierAEGMM, OutlierAELMM
from aegmm_detect.od.stored import arrays_of, state_from
from aegmm_detect.saving import load_detector, save_detector

QUICK = {"epochs": 5, "batch_size": 64, "verbose": 0}


def from_sizes(cls=OutlierAELMM, **settings):
    return cls.from_sizes(
        6, [12, 3], [8, 3], normalize="standard", seed=0, threshold=0.0, **settings
    )


@pytest.fixture(scope="module")
def rows():
    """600 rows of 6 heavy-tailed features that depend on 3 factors."""
    rng = np.random.default_rng(0)
    return rng.laplace(size=(600, 3)) @ rng.normal(size=(3, 6)) + 0.1 * rng.laplace(size=(600, 6))


@pytest.fixture(scope="module")
def fitted(rows):
    detector = from_sizes()
    detector.history = detector.fit(rows, **QUICK).history
    return detector


def test_scores_are_scipys_negative_log_density_of_the_latent_vectors(fitted, rows):
    state = fitted.state
    (z,) = map(np.asarray, state.latent(fitted.net)(state.prepared(rows)))
    parts = [
        np.log(phi) + stats.laplace(mu, scale).logpdf(z).sum(axis=1)
        for phi, mu, scale in zip(fitted.phi, fitted.mu, fitted.scale, strict=True)
    ]
    np.testing.assert_allclose(fitted.score(rows), -logsumexp(parts, axis=0), rtol=1e-4, atol=1e-4)


def test_the_mixture_is_the_estimate_from_the_rows_and_their_memberships(fitted, rows):
    _, z, gamma = fitted.net(fitted.state.prepared(rows), training=False)
    z, gamma = (np.asarray(value, dtype=np.float64) for value in (z, gamma))
    np.testing.assert_allclose(fitted.phi, gamma.mean(axis=0), rtol=1e-4)
    for mu, scale, weights in zip(fitted.mu, fitted.scale, gamma.T, strict=True):
        np.testing.assert_allclose(mu, np.average(z, axis=0, weights=weights), atol=1e-4)
        want = np.average(np.abs(z - mu), axis=0, weights=weights)
        np.testing.assert_allclose(scale, want, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "more"),
    [
        (from_sizes, {"optimizer": keras.optimizers.Adam(1e-3)}),
        # By the recipe's own Adam, of the same rate.
        (lambda: OutlierAELMM.auto(6, ensemble=2, seed=0), {}),
    ],
    ids=["from_sizes", "auto"],
)
def test_planted_outliers_are_found(make, more, rows):
    detector = make()
    detector.fit(rows, **{**QUICK, "epochs": 20}, **more)
    rng = np.random.default_rng(1)
    usual = rng.permutation(rows)[:200]
    # Marginals as usual, without the dependence of one feature on the others.
    planted = np.stack([rng.permutation(column) for column in usual.T], axis=1)
    labels = np.repeat([0, 1], 200)
    assert roc_auc_score(labels, detector.score(np.vstack([usual, planted]))) > 0.8


def test_the_laplacian_loss_trains_all_nets(fitted):
    assert set(fitted.history) == {"loss", "recon", "energy", "inverse_scale"}
    assert fitted.history["loss"][-1] < fitted.history["loss"][0]
    # Through energy and penalty alone does a gradient reach the density net.
    start = fitted.blueprint.build(0).gmm_density.get_weights()
    for before, after in zip(start, fitted.net.gmm_density.get_weights(), strict=True):
        assert (before != after).all()


@pytest.fixture(scope="module")
def ensemble(rows):
    """By the recipe; tests must leave it as it is."""
    detector = OutlierAELMM.auto(6, ensemble=2, contamination=0.05, seed=0)
    detector.fit(rows, **QUICK)
    return detector


@pytest.mark.parametrize("kind", ["fitted", "ensemble"])
def test_saving_and_loading_change_no_bit(kind, rows, tmp_path, request):
    detector = request.getfixturevalue(kind)
    save_detector(detector, tmp_path / "saved.aegmm")
    other = load_detector(tmp_path / "saved.aegmm")
    assert type(other) is OutlierAELMM
    np.testing.assert_array_equal(other.score(rows), detector.score(rows))
    for got, want in zip(other.members, detector.members, strict=True):
        for mixture, saved in zip(got.mixtures, want.mixtures, strict=True):
            for name in ("phi", "mu", "scale"):
                np.testing.assert_array_equal(getattr(mixture, name), getattr(saved, name))


def test_arrays_of_another_family_are_refused(fitted, rows, tmp_path):
    arrays = arrays_of(fitted.state)
    assert {n for n in arrays if n.startswith("density.0.0.")} == {
        "density.0.0.phi",
        "density.0.0.mu",
        "density.0.0.scale",
    }
    entry = dataclasses.make_dataclass("Entry", ["shape", "names", "eager"])((6,), None, False)
    for name, array in arrays_of(state_from(arrays, entry, OutlierAELMM.FAMILY)).items():
        np.testing.assert_array_equal(array, arrays[name])
    with pytest.raises(ArtefactError, match=r"lacks density\.0\.0\.cov"):
        state_from(arrays, entry, OutlierAEGMM.FAMILY)


@pytest.mark.parametrize("name", ["cov", "L", "log_det_cov"])
def test_a_laplacian_mixture_has_no_covariances(fitted, name):
    with pytest.raises(ConfigurationError, match=f"no {name}; it has phi, mu, scale"):
        getattr(fitted, name)


def test_update_is_refused_and_changes_nothing(fitted, rows):
    before = fitted.score(rows)
    with pytest.raises(ConfigurationError, match=r"cannot be merged. Call OutlierAELMM\.fit"):
        fitted.update(rows)
    np.testing.assert_array_equal(fitted.score(rows), before)


@pytest.mark.parametrize("parts", [("full",), ("single", "full")])
def test_full_covariances_are_refused_when_the_detector_is_made(make_nets, parts):
    config = FitConfig(density=DensityConfig(n_components=2, parts=parts))
    with pytest.raises(ConfigurationError, match="Laplacian mixture has no 'full' part"):
        OutlierAELMM(**make_nets(), fit_config=config)
    blueprint = OutlierAELMM.auto(6, ensemble=1).blueprint
    with pytest.raises(ConfigurationError, match="Laplacian mixture has no 'full' part"):
        OutlierAELMM.from_blueprint(blueprint, config)
    OutlierAEGMM.from_blueprint(blueprint, config)


def test_auto_scores_by_laplacian_refits_alone(ensemble):
    assert ensemble.fit_config.density.parts == ("diagonal", "single")
    assert ensemble.fit_config.density.trim == 0.1
    for member in ensemble.members:
        several, single = member.mixtures
        assert several.scale.shape == (6, 3 + 2 + 6)  # code, features, principal components
        assert single.scale.shape == (1, 3 + 2)


def test_a_detector_of_the_other_family_has_no_scale(make_nets, rows):
    other = OutlierAEGMM(0.0, **make_nets())
    other.fit(rows, epochs=0)
    with pytest.raises(ConfigurationError, match="Gaussian mixture has no scale; it has phi, mu"):
        _ = other.scale


def test_a_checkpoint_of_the_other_family_is_refused(rows, tmp_path):
    from_sizes().fit(rows, **QUICK, checkpoint_dir=tmp_path)
    with pytest.raises(CheckpointError, match="family"):
        from_sizes(OutlierAEGMM).fit(rows, **QUICK, checkpoint_dir=tmp_path)
