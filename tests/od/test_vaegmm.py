"""Laws of the variational detector."""

import inspect
import logging

import keras
import numpy as np
import pytest

from aegmm_detect.configs.aegmm import FitConfig, VAEGMMFitConfig
from aegmm_detect.exceptions import CheckpointError, ConfigurationError
from aegmm_detect.models.tensorflow import AEGMM, VAEGMM, loss_vaegmm
from aegmm_detect.od import OutlierAEGMM, OutlierVAEGMM
from aegmm_detect.saving import load_detector, save_detector

QUICK = {"epochs": 2, "verbose": 0, "seed": 1, "jit_compile": False}
# The weights of the terms are part of a compiled program: where they do not matter, these.
USUAL = {**QUICK, "w_recon": 1.0, "cov_elbo": {"sim": 0.5}}


def nets():
    seeds = iter(range(9))

    def dense(width, activation=None):
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        return keras.layers.Dense(width, activation, kernel_initializer=start)

    return {
        "encoder_net": keras.Sequential([keras.Input((6,)), dense(8, "relu")]),
        "decoder_net": keras.Sequential([keras.Input((2,)), dense(8, "relu"), dense(6)]),
        "gmm_density_net": keras.Sequential([keras.Input((4,)), dense(2, "softmax")]),
        "n_gmm": 2,
    }


def make(**settings):
    # Each draw makes a program that scores rows longer.
    settings = {"latent_dim": 2, "samples": 0, "normalize": "standard", "seed": 0, **settings}
    return OutlierVAEGMM(0.0, **nets(), **settings)


@pytest.fixture(scope="module")
def detector(normal_rows):
    detector = make(samples=3)
    detector.fit(normal_rows, **USUAL)
    return detector


def test_the_arguments_stand_in_the_order_of_the_interface():
    made = list(inspect.signature(OutlierVAEGMM.__init__).parameters)[1:12]
    assert made == [
        "threshold",
        "vaegmm",
        "encoder_net",
        "decoder_net",
        "gmm_density_net",
        "n_gmm",
        "latent_dim",
        "samples",
        "beta",
        "recon_features",
        "data_type",
    ]
    fitted = list(inspect.signature(OutlierVAEGMM.fit).parameters)[1:13]
    assert fitted == [
        "X",
        "loss_fn",
        "w_recon",
        "w_energy",
        "w_cov_diag",
        "optimizer",
        "cov_elbo",
        "epochs",
        "batch_size",
        "verbose",
        "log_metric",
        "callbacks",
    ]


def test_two_calls_on_the_same_rows_agree_in_any_order_and_batch(detector, normal_rows):
    scores = detector.score(normal_rows)
    np.testing.assert_array_equal(detector.score(normal_rows, batch_size=7), scores)
    order = np.random.default_rng(0).permutation(len(normal_rows))
    np.testing.assert_array_equal(detector.score(normal_rows[order]), scores[order])


def test_the_score_is_the_mean_energy_of_its_draws(detector, normal_rows):
    state = detector.state
    assert state.noise.shape == (3, 2)
    assert OutlierVAEGMM(0.0, **nets(), latent_dim=2).config.samples == 10
    rows = state.prepared(normal_rows)
    each = [
        detector.mixture.energy(
            keras.ops.convert_to_numpy(detector.net.forward(rows, False, draw).z).astype("float64")
        )
        for draw in state.noise
    ]
    np.testing.assert_allclose(detector.score(normal_rows), np.mean(each, axis=0), rtol=1e-4)


def test_no_samples_score_by_the_mean_of_the_code(normal_rows):
    detector = make()
    detector.fit(normal_rows, **USUAL)
    assert detector.state.noise is None
    z = keras.ops.convert_to_numpy(detector.net(detector.state.prepared(normal_rows))[1])
    want = detector.mixture.energy(z.astype("float64"))
    np.testing.assert_allclose(detector.score(normal_rows), want, rtol=1e-4, atol=1e-4)
    detector.update(normal_rows)  # and only then can it learn on


def test_draws_cannot_be_learned_on_from(detector, normal_rows):
    with pytest.raises(ConfigurationError, match="samples=0"):
        detector.update(normal_rows)


def test_draws_survive_a_file(detector, normal_rows, tmp_path):
    save_detector(detector, tmp_path / "vae.aegmm")
    other = load_detector(tmp_path / "vae.aegmm")
    np.testing.assert_array_equal(other.score(normal_rows), detector.score(normal_rows))
    assert other.config == detector.config


@pytest.mark.parametrize("kind", ["sim", "cov_diag", "cov_full"])
def test_the_loss_of_the_interface_is_what_is_trained(normal_rows, kind):
    given = {"sim": {"sim": 0.3}, "cov_diag": {"cov_diag": np.full(6, 0.4)}}
    cov = given.get(kind, {"cov_full": 0.4 * np.eye(6) + 0.1})
    still = {**USUAL, "cov_elbo": cov, "epochs": 1, "optimizer": keras.optimizers.Adam(0.0)}
    losses = [
        make(seed=5).fit(normal_rows, loss_fn, **still).history["loss"][0]
        for loss_fn in (None, loss_vaegmm)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("kind", ["cov_diag", "cov_full"])
def test_covariances_of_the_training_rows_are_theirs(normal_rows, kind):
    rows = normal_rows * np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype="float32")
    found = np.cov(rows.T, bias=True)
    found += 1e-6 * np.trace(found) / 6.0 * np.eye(6)  # the documented floor
    given = {"cov_full": found, "cov_diag": np.diag(found)}[kind]
    logs = []
    for value in (None, given):
        detector = make(seed=3, normalize=None)
        logs.append(detector.fit(rows, **{**USUAL, "cov_elbo": {kind: value}}).history["recon"])
    np.testing.assert_allclose(*logs, rtol=1e-4)


def test_the_divergence_waits_for_its_warm_up(normal_rows):
    def loss_less_kl(**given):
        log = make(seed=3, beta=2.0).fit(normal_rows, **{**USUAL, **given, "epochs": 1}).history
        rest = log["recon"][0] + 0.1 * log["energy"][0] + 0.005 * log["cov_diag"][0]
        return log["loss"][0] - rest, log["kl"][0]

    weighted, kl = loss_less_kl()
    assert weighted == pytest.approx(2.0 * kl, rel=1e-3)
    # Of a single step, the first.
    weighted, kl = loss_less_kl(kl_warmup=1.0, batch_size=len(normal_rows))
    assert abs(weighted) < 1e-3 * kl


def test_a_code_that_says_nothing_is_told(normal_rows, caplog):
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        # Whatever a row looks like, it is likely.
        fit = {**USUAL, "cov_elbo": {"sim": 1e3}, "epochs": 40}
        make(seed=3, beta=2.0).fit(normal_rows, optimizer=keras.optimizers.Adam(0.01), **fit)
    assert "Posterior collapse" in caplog.text


def test_another_weight_of_the_divergence_is_another_fit(normal_rows, tmp_path):
    def fit(beta):
        make(beta=beta).fit(normal_rows, **USUAL, checkpoint_dir=tmp_path)

    fit(1.0)
    with pytest.raises(CheckpointError, match="beta"):
        fit(50.0)


def test_draws_have_a_part_in_the_scales_of_scores(detector, normal_rows):
    scores = detector.score(normal_rows)
    assert detector.state.scales.parts.centre[0] == pytest.approx(np.median(scores), rel=1e-3)


def test_every_layer_starts_from_weights_of_its_own():
    detector = OutlierVAEGMM.from_sizes(6, [6, 6], [4, 2], threshold=0.0, seed=0)
    kernels = [w for w in detector.net.get_weights() if w.shape == (6, 6)]
    assert len(kernels) > 3
    for i, kernel in enumerate(kernels):
        assert not any(np.allclose(kernel, other) for other in kernels[:i])


def test_settings_of_another_detector_are_refused():
    with pytest.raises(ConfigurationError, match="OutlierVAEGMM takes a VAEGMMFitConfig"):
        OutlierVAEGMM.auto(6, fit_config=FitConfig())
    with pytest.raises(ConfigurationError, match="OutlierAEGMM takes a FitConfig"):
        OutlierAEGMM.auto(6, fit_config=VAEGMMFitConfig())
    made = OutlierVAEGMM.from_sizes(6, [6, 2], [4, 2], threshold=0.0)
    with pytest.raises(ConfigurationError, match="another kind of detector"):
        OutlierAEGMM.from_blueprint(made.blueprint, FitConfig())


def test_a_ready_net_without_a_drawn_code_is_refused(make_nets):
    plain = AEGMM(*list(make_nets().values())[:3])
    with pytest.raises(ConfigurationError, match="samples= and beta= would be ignored"):
        OutlierVAEGMM(0.0, vaegmm=plain)


def test_a_ready_net_brings_its_code(normal_rows):
    made = nets()
    net = VAEGMM(*list(made.values())[:3], 2, 2)
    detector = OutlierVAEGMM(0.0, vaegmm=net, samples=2)
    log = detector.fit(normal_rows, **USUAL).history
    assert "kl" in log
    assert detector.config.n_gmm == 2
    assert np.isfinite(detector.score(normal_rows)).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "latent_dim is missing"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"latent_dim": 3}, "decoder_net takes codes of width 2"),
        ({"latent_dim": 2, "samples": -1}, "samples=-1"),
        ({"latent_dim": 2, "beta": -1.0}, "beta=-1.0"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        OutlierVAEGMM(0.0, **nets(), **given)


def test_a_ready_net_and_the_width_of_its_code_go_together():
    made = nets()
    ready = VAEGMM(*(made[n] for n in ("encoder_net", "decoder_net", "gmm_density_net")), 2, 2)
    assert OutlierVAEGMM(0.0, vaegmm=ready, latent_dim=2).net is ready
    with pytest.raises(ConfigurationError, match=r"width 2, but latent_dim=3.*latent_dim=2"):
        OutlierVAEGMM(0.0, vaegmm=ready, latent_dim=3)


def test_a_loss_gets_the_covariance_by_the_name_it_takes(normal_rows):
    seen = {}

    def loss(x, x_recon, z, gamma, w_recon, w_energy, w_cov_diag):
        seen["plain"] = True
        return keras.ops.mean((x - x_recon) ** 2) + w_energy * keras.ops.mean(z**2)

    def of_sim(x, x_recon, z, gamma, w_recon, w_energy, w_cov_diag, sim=None):
        seen["sim"] = sim
        return loss(x, x_recon, z, gamma, w_recon, w_energy, w_cov_diag)

    def of_any(x, x_recon, z, gamma, **more):
        seen["any"] = more["cov_diag"]
        return keras.ops.mean((x - x_recon) ** 2)

    def needs_sim(x, x_recon, z, gamma, w_recon, w_energy, w_cov_diag, sim):
        return sim * loss(x, x_recon, z, gamma, w_recon, w_energy, w_cov_diag)

    def fit(loss_fn, cov, **settings):
        # The loss is tried on a few rows before a fit, whether it trains or not.
        settings = {**QUICK, "cov_elbo": cov, "epochs": 0, **settings}
        make(normalize=None).fit(normal_rows, loss_fn, **settings)

    sim, diag = {"sim": 0.3}, {"cov_diag": None}
    with pytest.raises(ConfigurationError, match=r"needs 'sim', .* cov_elbo=\{'sim': \.\.\.\}"):
        fit(needs_sim, diag)
    fit(needs_sim, sim)
    fit(loss, sim)
    fit(of_sim, sim)
    assert seen.pop("sim") == 0.3
    fit(of_sim, diag)
    fit(of_any, diag, epochs=1)
    assert seen.pop("sim") is None
    np.testing.assert_allclose(seen["any"], normal_rows.var(axis=0), rtol=1e-4)


@pytest.mark.parametrize(
    ("cov", "message"),
    [
        ({}, "give one of"),
        ({"sim": 0.1, "cov_diag": None}, "give one of"),
        ({"sigma": 0.1}, "give one of"),
        ({"sim": 0.0}, "positive standard deviation"),
        ({"sim": None}, "positive standard deviation"),
        ({"cov_diag": 0.3}, "or numbers"),
        (0.3, "cov_elbo=0.3"),
        ({"cov_diag": -np.ones(6)}, "a variance is -1, and variances are finite"),
        ({"cov_full": np.ones((6, 6)) - 2.0 * np.eye(6)}, "cov_full"),
        ({"cov_diag": [1.0, 2.0]}, r"has shape \(2,\); rows of 6 numbers need \(6,\)"),
    ],
)
def test_a_covariance_that_is_none_is_refused_and_nothing_is_lost(
    detector, normal_rows, cov, message
):
    before = detector.score(normal_rows)
    with pytest.raises(ConfigurationError, match=message):
        detector.fit(normal_rows, cov_elbo=cov, **QUICK)
    np.testing.assert_array_equal(detector.score(normal_rows), before)
