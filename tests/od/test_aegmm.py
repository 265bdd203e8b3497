"""OutlierAEGMM: its constructor, and what its fit promises."""

import copy

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from aegmm_detect.exceptions import (
    ConfigurationError,
    InvalidInputError,
    NetTypeError,
    NotFittedError,
)
from aegmm_detect.numerics.features import (
    concat,
    eucl_cosim_features,
    euclidean,
    mean_squared,
)
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.programs.tracing import SCORING

QUICK = {"epochs": 2, "batch_size": 64, "verbose": 0, "seed": 0}
# Of the default kind, which has a compiled program already.
STILL = {**QUICK, "epochs": 1, "optimizer": keras.optimizers.Adam(0.0)}


def weights(detector):
    return [w.copy() for w in detector.net.get_weights()]


# --- constructor -----------------------------------------------------------------------------


def test_the_nets_of_the_peers_documentation_run_unchanged(normal_rows):
    dense, latent, n_gmm = keras.layers.Dense, 1, 2
    with pytest.warns(UserWarning, match="input_shape"):  # noqa: PT031 (one block of their text)
        encoder_net = tf.keras.Sequential(
            [
                keras.layers.InputLayer(input_shape=(6,)),
                dense(8, activation=tf.nn.tanh),
                dense(latent, activation=None),
            ]
        )
        decoder_net = tf.keras.Sequential(
            [
                keras.layers.InputLayer(input_shape=(latent,)),
                dense(8, activation=tf.nn.tanh),
                dense(6, activation=None),
            ]
        )
        gmm_density_net = tf.keras.Sequential(
            [
                keras.layers.InputLayer(input_shape=(latent + 2,)),
                dense(6, activation=tf.nn.tanh),
                dense(n_gmm, activation=tf.nn.softmax),
            ]
        )
    od = OutlierAEGMM(
        threshold=None,
        encoder_net=encoder_net,
        decoder_net=decoder_net,
        gmm_density_net=gmm_density_net,
        n_gmm=n_gmm,
    )
    od.fit(normal_rows, epochs=1, batch_size=64, verbose=False)
    od.infer_threshold(normal_rows, threshold_perc=95)
    assert od.predict(normal_rows)["data"]["is_outlier"].sum() == 30


def test_functional_nets_and_a_ready_model_are_taken(make_nets, normal_rows):
    nets = make_nets()
    x = keras.Input((6,))
    code = nets["encoder_net"](x)
    x_recon = nets["decoder_net"](code)
    z = keras.layers.Concatenate()([code, keras.ops.abs(code), keras.ops.square(code)])
    ready = keras.Model(x, (x_recon, z, nets["gmm_density_net"](z)))
    detector = OutlierAEGMM(aegmm=ready, n_gmm=2)
    detector.fit(normal_rows, **QUICK)
    assert detector.mu.shape == (2, 3)
    assert np.isfinite(detector.score(normal_rows)).all()


def test_images_through_a_conv_encoder(normal_rows):
    layers, rng = keras.layers, np.random.default_rng(0)
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(4, 3, 2), layers.Flatten(), layers.Dense(2)]
    )
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(64), layers.Reshape((8, 8, 1))])
    density = keras.Sequential([keras.Input((4,)), layers.Dense(2, "softmax")])
    detector = OutlierAEGMM(
        encoder_net=encoder,
        decoder_net=decoder,
        gmm_density_net=density,
        n_gmm=2,
        normalize="minmax",
    )
    images = rng.uniform(size=(130, 8, 8, 1))
    detector.fit(images, **QUICK)
    np.testing.assert_array_equal(detector.score(images[:7]), detector.score(images)[:7])
    with pytest.raises(ValueError, match="rows of shape"):
        detector.score(images[:, :4])


@pytest.mark.parametrize("missing", ["encoder_net", "decoder_net", "gmm_density_net"])
def test_a_missing_or_foreign_net_is_a_type_error(make_nets, missing):
    with pytest.raises(TypeError, match=f"{missing} is missing"):
        OutlierAEGMM(**{**make_nets(), missing: None})
    with pytest.raises(NetTypeError, match=f"{missing} is a str"):
        OutlierAEGMM(**{**make_nets(), missing: "net"})


def test_parts_that_do_not_fit_are_named(make_nets):
    with pytest.raises(ConfigurationError, match="returns 2 memberships per row but n_gmm=3"):
        OutlierAEGMM(**{**make_nets(), "n_gmm": 3})
    with pytest.raises(ConfigurationError, match="gmm_density_net takes 3 inputs, but z has 2"):
        OutlierAEGMM(**make_nets(), recon_features=euclidean)
    with pytest.raises(ConfigurationError, match="decoder_net returns rows of width 6"):
        OutlierAEGMM(**{**make_nets(), "encoder_net": make_nets(5)["encoder_net"]})
    wide = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    with pytest.raises(ConfigurationError, match="decoder_net takes codes of width 1"):
        OutlierAEGMM(**{**make_nets(), "encoder_net": wide})
    linear = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, bias_initializer="ones")])
    with pytest.raises(ConfigurationError, match="softmax"):
        OutlierAEGMM(**{**make_nets(), "gmm_density_net": linear})
    with pytest.raises(ConfigurationError, match="not both"):
        OutlierAEGMM(aegmm=linear, **make_nets())
    with pytest.raises(ConfigurationError, match=r"\(x_recon, z, gamma\)"):
        OutlierAEGMM(aegmm=linear)


def test_unbuilt_nets_are_checked_when_the_rows_are_there(make_nets, normal_rows):
    encoder = keras.Sequential([keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.layers.Dense(5)])
    density = keras.Sequential([keras.layers.Dense(2, "softmax")])
    detector = OutlierAEGMM(encoder_net=encoder, decoder_net=decoder, gmm_density_net=density)
    with pytest.raises(ConfigurationError, match="a reconstruction has the shape of its row"):
        detector.fit(normal_rows, **QUICK)


@pytest.mark.parametrize(
    "setting",
    [
        {"normalize": "log"},
        {"nan_policy": "ignore"},
        {"score_type": "distance"},
        {"seed": -1},
        {"threshold": "high"},
        {"threshold": float("nan")},
    ],
)
def test_settings_out_of_range_are_named(make_nets, setting):
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        OutlierAEGMM(**make_nets(), **setting)


def test_a_missing_threshold_is_logged(make_nets, caplog):
    OutlierAEGMM(**make_nets(), threshold=1)
    assert not caplog.records
    OutlierAEGMM(**make_nets())
    assert "infer_threshold" in caplog.text


def test_from_sizes_builds_the_nets_of_the_size_lists():
    detector = OutlierAEGMM.from_sizes(18, [12, 4, 1], [10, 3], recon_reduction="sum")
    widths = [layer.units for layer in detector.net.encoder.layers]
    assert widths == [12, 4, 1]
    assert [layer.units for layer in detector.net.decoder.layers] == [4, 12, 18]
    assert detector.net.gmm_density.output_shape == (None, 3)
    assert detector.fit_config.w_cov_diag == 1e-4
    assert OutlierAEGMM.from_sizes(18, [4, 1], [3]).fit_config.w_cov_diag == 0.005
    with pytest.raises(ConfigurationError, match="comp_hiddens"):
        OutlierAEGMM.from_sizes(18, [], [3])
    with pytest.raises(ConfigurationError, match="recon_reduction"):
        OutlierAEGMM.from_sizes(18, [4, 1], [3], recon_reduction="median")


@pytest.mark.parametrize("n_features", [1, 2, 30, 300])
def test_auto_works_for_any_width(n_features):
    rows = np.random.default_rng(0).normal(size=(50, n_features))
    detector = OutlierAEGMM.auto(n_features, seed=0)
    x_recon, _, _ = detector.net(rows)
    assert x_recon.shape[-1] == n_features
    if n_features in (1, 300):
        detector = OutlierAEGMM.auto(n_features, ensemble=1, seed=0)  # compiles in half the time
        detector.fit(rows, epochs=1, verbose=0)
        assert np.isfinite(detector.score(rows)).all()


# --- fit: settings, log, callbacks -----------------------------------------------------------


@pytest.fixture(scope="module")
def logged(make_nets, normal_rows):
    """The log of a fit that has all there is to log."""
    detector = OutlierAEGMM(**make_nets(kernel_regularizer="l2"))
    return detector.fit(
        normal_rows,
        **QUICK,
        w_energy=0.3,
        w_cov_diag=0.02,
        validation_split=0.25,
        log_metric=("error", keras.metrics.MeanSquaredError()),
    ).history


def test_history_logs_the_loss_and_its_terms(logged):
    for prefix in ("", "val_"):
        terms = [
            np.array(logged[prefix + name])
            for name in ("loss", "recon", "energy", "cov_diag", "regularization")
        ]
        loss, recon, energy, cov_diag, regularization = terms
        np.testing.assert_allclose(
            loss, recon + 0.3 * energy + 0.02 * cov_diag + regularization, rtol=1e-5
        )
        assert (regularization > 0).all()


def test_log_metric_is_logged_under_the_users_name(logged):
    np.testing.assert_allclose(logged["error"], logged["recon"], rtol=1e-4)


def test_callbacks_run_once_per_block_with_the_index_of_its_last_step(make_nets, normal_rows):
    seen = []

    class Spy(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, sorted(logs)))

    detector = OutlierAEGMM(**make_nets())
    detector.fit(normal_rows, **{**QUICK, "epochs": 1}, callbacks=[Spy()], steps_per_execution=4)
    assert [batch for batch, _ in seen] == [3, 7, 11]  # 10 steps, as Keras counts them
    assert seen[0][1] == ["cov_diag", "energy", "loss", "recon"]


def test_early_stopping_restores_weights_and_the_mixture_follows_them(make_nets, normal_rows):
    kept = []

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append([w.copy() for w in self.model.net.get_weights()])

    stop = keras.callbacks.EarlyStopping(
        "val_loss", mode="max", patience=2, restore_best_weights=True
    )
    rows = np.concatenate([normal_rows, normal_rows[:150] + 1.0])  # of which it trains on 600
    detector = OutlierAEGMM(**make_nets())
    history = detector.fit(
        rows,
        **{**QUICK, "epochs": 9, "optimizer": keras.optimizers.Adam(0.05)},
        validation_split=0.2,
        callbacks=[Keep(), stop],
    )
    best = int(np.argmax(history.history["val_loss"]))
    assert len(history.history["loss"]) < 9
    for got, want in zip(weights(detector), kept[best], strict=True):
        np.testing.assert_array_equal(got, want)
    again = OutlierAEGMM(**make_nets())
    again.net.set_weights(kept[best])
    again.fit(rows, **{**QUICK, "epochs": 0}, validation_split=0.2)
    np.testing.assert_allclose(again.mu, detector.mu, rtol=1e-12)


# TensorFlow's summary writer hands NumPy 2 an object without the `copy` keyword.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_tensorboard_and_learning_rate_callbacks_work(make_nets, normal_rows, tmp_path):
    rates = []

    class Spy(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

    OutlierAEGMM(**make_nets()).fit(
        normal_rows,
        **{**QUICK, "epochs": 3},
        callbacks=[
            keras.callbacks.TensorBoard(tmp_path),
            keras.callbacks.LearningRateScheduler(lambda epoch: 10.0**-epoch),
            Spy(),
        ],
    )
    np.testing.assert_allclose(rates, [1, 0.1, 0.01], rtol=1e-5)
    assert list(tmp_path.rglob("events*"))


def test_custom_losses_scalar_or_per_row_train(make_nets, normal_rows):
    def per_row(x_true, x_pred, z, gamma, *, w_energy, w_cov_diag):
        return tf.reduce_mean(tf.square(x_true - x_pred), axis=-1)

    def scalar(x_true, x_pred, z, gamma, *, w_energy, w_cov_diag):
        return w_energy * keras.ops.mean(keras.ops.square(x_true - x_pred)) / 0.1

    losses = [
        OutlierAEGMM(**make_nets()).fit(normal_rows, **QUICK, loss_fn=loss).history["loss"]
        for loss in (per_row, scalar)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    assert losses[0][1] < losses[0][0]


def test_a_numpy_only_loss_is_refused(make_nets, normal_rows):
    def numpy_loss(x_true, x_pred, z, gamma, *, w_energy, w_cov_diag):
        return np.mean(np.square(np.asarray(x_true) - np.asarray(x_pred)))

    def half_numpy_loss(x_true, x_pred, z, gamma, *, w_energy, w_cov_diag):
        return tf.reduce_mean(tf.square(x_true - np.asarray(x_pred)))

    for loss in (numpy_loss, half_numpy_loss):
        with pytest.raises(ConfigurationError, match="No gradient flows through loss_fn"):
            OutlierAEGMM(**make_nets()).fit(normal_rows, **QUICK, loss_fn=loss)


def test_a_loss_that_does_not_take_the_weights_is_refused(make_nets, normal_rows):
    def without_weights(x_true, x_pred, z, gamma):
        return keras.ops.mean(keras.ops.square(x_true - x_pred))

    with pytest.raises(ConfigurationError, match=r"called as loss_fn\(.*w_energy, w_cov_diag\)"):
        OutlierAEGMM(**make_nets()).fit(normal_rows, **QUICK, loss_fn=without_weights)


def test_assigning_to_a_setting_is_refused_for_it_would_change_nothing(make_nets):
    detector = OutlierAEGMM(**make_nets())
    for name in ("nan_policy", "normalize", "seed"):
        with pytest.raises(ConfigurationError, match=f"{name} is set when the detector is made"):
            setattr(detector, name, None)
    with pytest.raises(ConfigurationError, match="config is set when"):
        detector.config = detector.config.replace(nan_policy="flag")
    detector.label = "mine"


def test_labels_in_the_place_of_the_loss_are_refused(make_nets, normal_rows):
    with pytest.raises(ConfigurationError, match="takes no labels"):
        OutlierAEGMM(**make_nets()).fit(normal_rows, np.zeros(len(normal_rows)))


def test_numpy_only_features_warn_once_and_train_the_rest(make_nets, normal_rows):
    def numpy_features(x, x_recon):
        difference = np.asarray(x) - np.asarray(x_recon)
        return np.stack([np.abs(difference).max(1), np.abs(difference).mean(1)], axis=1)

    detector = OutlierAEGMM(**make_nets(), recon_features=numpy_features)
    before = weights(detector)
    with pytest.warns(UserWarning, match="no gradient flows through NumPy") as caught:
        detector.fit(normal_rows[:200], **QUICK)
    assert [warning.filename for warning in caught] == [__file__]
    assert any((a != b).any() for a, b in zip(before, weights(detector), strict=True))
    scores = detector.score(normal_rows[:200])
    np.testing.assert_array_equal(detector.score(normal_rows[:50]), scores[:50])


def test_what_xla_cannot_compile_trains_and_scores_as_a_graph_with_a_logged_reason(
    make_nets, normal_rows, caplog, monkeypatch
):
    monkeypatch.setitem(SCORING, "mode", "xla")

    def features(x, x_recon):
        size = tf.numpy_function(
            lambda a: np.abs(a).sum(1, keepdims=True), [x - x_recon], "float32"
        )
        size.set_shape((None, 1))
        return keras.ops.concatenate([size, euclidean(x, x_recon)], axis=-1)

    detector = OutlierAEGMM(**make_nets(), recon_features=features)
    detector.fit(normal_rows, **QUICK, jit_compile=True)
    assert caplog.text.count("XLA cannot compile these nets") == 1
    scores = detector.score(normal_rows)
    assert caplog.text.count("XLA cannot compile these nets") == 2
    assert np.isfinite(scores).all()


def test_xla_and_graph_run_the_same_step(make_nets, normal_rows):
    trained = []
    for jit_compile in (True, False):
        detector = OutlierAEGMM(**make_nets())
        detector.fit(normal_rows, **QUICK, jit_compile=jit_compile)
        trained.append(weights(detector))
    for a, b in zip(*trained, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_y_is_refused_and_none_accepted(make_nets, normal_rows):
    detector = OutlierAEGMM(**make_nets())
    with pytest.raises(ConfigurationError, match="leave y out"):
        detector.fit(normal_rows, y=np.zeros(len(normal_rows)))
    detector.fit(normal_rows, **QUICK, y=None)


@pytest.mark.parametrize(
    "setting",
    [
        {"epochs": -1},
        {"batch_size": 1},
        {"w_energy": -1.0},
        {"validation_split": 1.0},
        {"clip_norm": 0.0},
        {"optimizer": "adamant"},
        {"jit_compile": "maybe"},
        {"steps_per_execution": 0},
        {"log_metric": keras.metrics.MeanSquaredError()},
        {"log_metric": ("loss", keras.metrics.MeanSquaredError())},
        {"log_metric": ("energy", keras.metrics.MeanSquaredError())},
        {"log_metric": ("regularization", keras.metrics.MeanSquaredError())},
    ],
)
def test_bad_fit_settings_are_named_and_change_nothing(fitted, normal_rows, setting):
    scores = fitted.score(normal_rows)
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        fitted.fit(normal_rows, **setting)
    np.testing.assert_array_equal(fitted.score(normal_rows), scores)


# --- fit: state ------------------------------------------------------------------------------


def test_layers_train_in_training_mode_and_score_in_inference_mode(make_nets, normal_rows):
    detector = OutlierAEGMM(**make_nets(batch_norm=True, dropout=0.5))
    norm = detector.net.encoder.layers[1]
    moving = norm.moving_mean.numpy().copy()
    detector.fit(normal_rows, **QUICK)
    assert (norm.moving_mean.numpy() != moving).any()
    moving = norm.moving_mean.numpy().copy()
    np.testing.assert_array_equal(detector.score(normal_rows), detector.score(normal_rows))
    np.testing.assert_array_equal(norm.moving_mean.numpy(), moving)


def test_dropout_of_the_users_nets_is_active_and_follows_the_seed(make_nets, normal_rows):
    def train(seed, dropout):
        detector = OutlierAEGMM(**make_nets(dropout=dropout))
        detector.fit(normal_rows, **{**QUICK, "seed": seed})
        return weights(detector)

    first, again, without = train(1, 0.5), train(1, 0.5), train(1, 0.0)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, without, strict=True))


def test_a_given_threshold_survives_fit_and_an_inferred_one_is_cleared(
    make_nets, normal_rows, caplog
):
    detector = OutlierAEGMM(threshold=3, **make_nets())
    detector.fit(normal_rows, **QUICK)
    assert detector.threshold == 3.0
    detector.infer_threshold(normal_rows, 95.0)
    assert not caplog.records
    detector.fit(normal_rows, **QUICK)
    assert detector.threshold is None
    assert "is cleared" in caplog.text


def test_a_users_nets_go_on_from_their_weights_and_our_own_start_fresh(make_nets, normal_rows):
    theirs, ours = OutlierAEGMM(**make_nets()), OutlierAEGMM.from_sizes(6, [8, 1], [6, 2])
    for detector, fresh in ((theirs, False), (ours, True)):
        detector.fit(normal_rows[:200], **QUICK)
        first = weights(detector)
        detector.fit(normal_rows[:200], **QUICK)
        same = all((a == b).all() for a, b in zip(first, weights(detector), strict=True))
        assert same == fresh


def test_nets_that_go_on_have_been_trained_on_the_rows_of_all_fits(make_nets, normal_rows):
    own = OutlierAEGMM(**make_nets())
    ours = OutlierAEGMM.from_sizes(6, [8, 1], [6, 2])
    for detector in (own, ours):
        detector.fit(normal_rows[:200], **QUICK)
        detector.fit(normal_rows[200:400], **QUICK)
        with pytest.raises(InvalidInputError, match="trained on"):
            detector.calibrate(normal_rows[200:400])
    with pytest.raises(InvalidInputError, match="trained on"):
        own.calibrate(normal_rows[:200])
    assert ours.calibrate(normal_rows[:200]).n == 200  # fresh weights in every fit


def test_mixture_is_readable_after_fit_only(make_nets, normal_rows):
    detector = OutlierAEGMM(**make_nets())
    with pytest.raises(NotFittedError):
        detector.phi  # noqa: B018
    detector.fit(normal_rows, epochs=0)
    assert detector.phi.shape == (2,)
    assert detector.cov.shape == detector.L.shape == (2, 3, 3)
    np.testing.assert_allclose(detector.L @ detector.L.transpose(0, 2, 1), detector.cov, rtol=1e-9)
    np.testing.assert_allclose(detector.log_det_cov, np.linalg.slogdet(detector.cov)[1])
    assert 1.0 <= detector.mixture.effective_components <= 2.0


def test_scores_are_energies_of_the_mixture_of_all_training_rows(make_nets, normal_rows):
    from sklearn.mixture import GaussianMixture

    # No training: features of one's own make a program of their own.
    detector = OutlierAEGMM(**make_nets(), recon_features=concat(mean_squared, euclidean))
    detector.fit(normal_rows, epochs=0)
    _, z, gamma = (np.asarray(v, dtype=np.float64) for v in detector.net(normal_rows))
    np.testing.assert_allclose(detector.phi, gamma.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(detector.mu, (gamma.T @ z) / gamma.sum(axis=0)[:, None], rtol=1e-5)
    oracle = GaussianMixture(2)
    oracle.weights_, oracle.means_, oracle.covariances_ = detector.phi, detector.mu, detector.cov
    oracle.precisions_cholesky_ = detector.mixture.W.transpose(0, 2, 1)
    np.testing.assert_allclose(
        detector.score(normal_rows), -oracle.score_samples(z), rtol=1e-4, atol=1e-3
    )


def test_failed_training_leaves_finite_weights_and_an_unfitted_detector(make_nets, normal_rows):
    from aegmm_detect.exceptions import NonFiniteLossError

    detector = OutlierAEGMM(**make_nets())
    before = weights(detector)
    with pytest.raises(NonFiniteLossError, match=r"Not finite: loss, recon.*normalize='standard'"):
        detector.fit(normal_rows * 1e25, **QUICK)
    assert not detector.fitted
    for a, b in zip(before, weights(detector), strict=True):
        np.testing.assert_array_equal(a, b)


def test_failure_in_a_later_block_keeps_the_last_good_weights(make_nets, normal_rows):
    from aegmm_detect.exceptions import NonFiniteLossError

    seen = []

    class Keep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append([w.copy() for w in self.model.net.get_weights()])

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate = float("inf")

    detector = OutlierAEGMM(**make_nets())
    with pytest.raises(NonFiniteLossError):
        detector.fit(normal_rows, **QUICK, callbacks=[Keep()])
    for a, b in zip(seen[-1], weights(detector), strict=True):
        np.testing.assert_array_equal(a, b)


# --- fit: input ------------------------------------------------------------------------------


# Nine batches and a row; fewer rows than a batch, which is then of two rows.
@pytest.mark.parametrize("n_rows", [9 * 64 + 1, 2])
def test_a_last_batch_of_one_row_is_no_problem(make_nets, normal_rows, n_rows):
    detector = OutlierAEGMM(**make_nets())
    history = detector.fit(normal_rows[:n_rows], **QUICK)
    assert np.isfinite(history.history["loss"]).all()
    assert np.isfinite(detector.score(normal_rows)).all()


def hard_rows(kind, rows):
    rows = rows.copy()
    if kind == "a third all zero":
        rows[::3] = 0
    elif kind == "constant columns":
        rows[:, [1, 4]] = 3.0
    elif kind == "half duplicates":
        rows[300:] = rows[:300]
    elif kind == "identical rows":
        rows[:] = rows[0]
    return rows


@pytest.mark.parametrize("normalize", [None, "standard", "minmax"])
@pytest.mark.parametrize(
    "kind", ["a third all zero", "constant columns", "half duplicates", "identical rows"]
)
def test_hard_rows_give_finite_scores(make_nets, normal_rows, kind, normalize):
    rows = hard_rows(kind, normal_rows)
    detector = OutlierAEGMM(**make_nets(), normalize=normalize)
    history = detector.fit(rows, **{**QUICK, "epochs": 1})
    assert np.isfinite(history.history["loss"]).all()
    assert np.isfinite(detector.score(rows)).all()


@pytest.fixture(scope="module")
def ones_and_zeros(make_nets):
    """Rows that every dtype can hold, and how float32 is scored."""
    values = np.random.default_rng(0).integers(0, 2, size=(600, 6))
    reference = OutlierAEGMM(**make_nets())
    reference.fit(values.astype("float32"), **QUICK)
    return values, reference.score(values.astype("float32"))


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "int64", "uint8", "bool"])
def test_every_real_dtype_trains_and_scores_like_float32(make_nets, ones_and_zeros, dtype):
    values, want = ones_and_zeros
    detector = OutlierAEGMM(**make_nets())
    detector.fit(values.astype(dtype), **QUICK)
    np.testing.assert_array_equal(detector.score(values.astype(dtype)), want)


def test_all_holders_of_the_same_rows_score_the_same(fitted, normal_rows):
    want = fitted.score(normal_rows)
    dataset = tf.data.Dataset.from_tensor_slices(normal_rows).batch(77)
    holders = [
        normal_rows.tolist(),
        tf.constant(normal_rows),
        pd.DataFrame(normal_rows),
        np.asfortranarray(normal_rows),
        dataset,
        dataset.map(lambda x: (x, x)),
        lambda: iter(np.array_split(normal_rows, 7)),
    ]
    for holder in holders:
        np.testing.assert_array_equal(fitted.score(holder), want)


def test_streams_give_the_mixture_of_their_rows(make_nets, normal_rows):
    array, stream, dataset = (OutlierAEGMM(**make_nets(), normalize="standard") for _ in range(3))
    array.fit(normal_rows, **STILL)
    stream.fit(lambda: iter(np.array_split(normal_rows, 7)), **STILL)
    dataset.fit(tf.data.Dataset.from_tensor_slices(normal_rows).batch(64), **STILL)
    for other in (stream, dataset):
        np.testing.assert_allclose(other.mu, array.mu, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(other.cov, array.cov, rtol=1e-4, atol=1e-9)


def test_streams_train_on_their_rows(make_nets, normal_rows):
    detector = OutlierAEGMM(**make_nets())
    history = detector.fit(
        lambda: iter(np.array_split(normal_rows, 7)),
        **{**QUICK, "epochs": 4, "optimizer": keras.optimizers.Adam(0.01)},
    )
    assert history.history["recon"][-1] < history.history["recon"][0]
    with pytest.raises(ConfigurationError, match="validation_split needs all rows in memory"):
        detector.fit(lambda: iter([normal_rows]), validation_split=0.1)


def test_a_generator_is_refused_with_advice(make_nets, normal_rows):
    with pytest.raises(ValueError, match="function that makes it"):
        OutlierAEGMM(**make_nets()).fit(batch for batch in [normal_rows])


def test_sources_that_run_dry_or_never_end_are_refused(make_nets, normal_rows):
    used_up = iter([normal_rows])
    with pytest.raises(ValueError, match="must return a fresh iterator"):
        OutlierAEGMM(**make_nets()).fit(lambda: used_up, **QUICK)
    endless = tf.data.Dataset.from_tensors(normal_rows).repeat()
    with pytest.raises(ValueError, match=r"Leave \.repeat\(\) out"):
        OutlierAEGMM(**make_nets()).fit(endless, **QUICK)
    with pytest.raises(ValueError, match="returned a NoneType"):
        OutlierAEGMM(**make_nets()).fit(lambda: None, **QUICK)


def test_threads_score_alike(fitted, normal_rows):
    from concurrent.futures import ThreadPoolExecutor

    detector = copy.copy(fitted)  # with its program yet to be found
    with ThreadPoolExecutor(4) as pool:
        scores = list(pool.map(detector.score, [normal_rows] * 8))
    for other in scores[1:]:
        np.testing.assert_array_equal(other, scores[0])


def test_column_names_are_kept_and_checked(make_nets, normal_rows):
    frame = pd.DataFrame(normal_rows, columns=list("abcdef"))
    detector = OutlierAEGMM(**make_nets())
    detector.fit(frame, **QUICK)
    np.testing.assert_array_equal(detector.score(frame), detector.score(normal_rows))
    with pytest.raises(ValueError, match="same columns in another order"):
        detector.score(frame[list("fedcba")])
    with pytest.raises(ValueError, match=r"missing \['f'\]"):
        detector.score(frame[list("abcde")])


def test_column_names_of_frames_in_a_stream_are_kept_and_checked(make_nets, normal_rows):
    frame = pd.DataFrame(normal_rows, columns=list("abcdef"))
    detector = OutlierAEGMM(**make_nets())
    detector.fit(lambda: (frame[i : i + 100] for i in range(0, len(frame), 100)), **QUICK)
    with pytest.raises(ValueError, match="same columns in another order"):
        detector.score(frame[list("fedcba")])


def test_a_row_whose_features_are_nan_gets_the_largest_score_and_a_line_in_the_log(
    make_nets, normal_rows, caplog
):
    def features(x, x_recon):
        near = eucl_cosim_features(x, x_recon)
        return keras.ops.where(x[:, :1] > 1e6, float("nan"), near)

    detector = OutlierAEGMM(**make_nets(), recon_features=features)
    detector.fit(normal_rows, epochs=0)  # of scores alone
    detector.score(normal_rows)
    assert "the largest number" not in caplog.text
    scores = detector.score(np.concatenate([normal_rows, np.full((1, 6), 1e7)]))
    assert scores.argmax() == len(normal_rows)
    assert np.isfinite(scores).all()
    assert "1 rows score 3.4e+38, the largest number" in caplog.text


@pytest.mark.parametrize("rows", [np.empty((0, 6)), np.ones((1, 6))])
def test_too_few_rows_are_refused(make_nets, rows):
    with pytest.raises(ValueError, match=f"X holds {len(rows)} usable row"):
        OutlierAEGMM(**make_nets()).fit(rows)


def test_nan_rows_are_refused_by_number_and_nothing_changes(fitted, normal_rows):
    scores = fitted.score(normal_rows)
    rows = normal_rows.copy()
    rows[[10, 20], 1] = np.nan
    with pytest.raises(ValueError, match=r"2 rows \(first: 10, 20\)"):
        fitted.fit(rows)
    np.testing.assert_array_equal(fitted.score(normal_rows), scores)


def test_the_scaling_is_learned_from_training_rows_only():
    from aegmm_detect.inputs import as_rows
    from aegmm_detect.training.prepare import prepare

    rows = np.random.default_rng(0).normal(size=(40, 3)) * 50 + 1e6
    made = prepare(as_rows(rows), (3,), "standard", "raise", validation_split=0.25, seed=0)
    assert (len(made.train.array), len(made.validation.array)) == (30, 10)
    np.testing.assert_allclose(made.train.array.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(made.train.array.std(axis=0), 1, atol=1e-6)
    assert (np.abs(made.validation.array.mean(axis=0)) > 1e-3).any()


def test_the_unit_of_the_rows_does_not_matter_to_a_scaled_detector(make_nets, normal_rows):
    metres, far_millimetres = normal_rows.astype(np.float64), normal_rows * 1e3 + 1e6
    scores = []
    for rows in (metres, far_millimetres.astype(np.float64)):
        detector = OutlierAEGMM(**make_nets(), normalize="standard")
        detector.fit(rows, **QUICK)
        scores.append(detector.score(rows))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-2, atol=1e-2)


def test_an_unverbose_fit_prints_nothing(make_nets, normal_rows, capfd):
    detector = OutlierAEGMM(**make_nets(), threshold=1.0)
    capfd.readouterr()
    detector.fit(normal_rows, **QUICK)
    assert capfd.readouterr().out == ""


# --- auto: an ensemble, a refitted density, robust scaling ---------------------------------------

BRIEF = {"epochs": 1, "verbose": 0, "jit_compile": False}


@pytest.fixture(scope="module")
def ensemble(normal_rows):
    """Two nets on the 600 rows, with their log; tests must leave them as they are."""
    detector = OutlierAEGMM.auto(6, ensemble=2, seed=0)
    history = detector.fit(normal_rows, **BRIEF)
    return detector, history


def last_rate(history):
    """Learning rate that a further step would have, and the steps that were taken."""
    optimizer = history.model.optimizer
    return float(optimizer.learning_rate), int(optimizer.iterations)


def test_members_of_an_ensemble_are_nets_with_mixtures(ensemble, normal_rows):
    detector, _ = ensemble
    assert len(detector.members) == 2
    for net, mixtures in detector.members:
        x_recon, z, gamma = net(normal_rows[:9])
        # Code of 3, two features; beside them 6 principal components.
        assert (x_recon.shape, z.shape, gamma.shape) == ((9, 6), (9, 5), (9, 4))
        assert [mixture.mu.shape for mixture in mixtures] == [(6, 11), (6, 11), (1, 5)]
    first, second = (member.net.get_weights()[0] for member in detector.members)
    assert (first != second).any()


def test_several_mixtures_are_no_single_one(ensemble):
    for name in ("mixture", "phi", "mu", "cov", "L", "log_det_cov"):
        with pytest.raises(ConfigurationError, match=r"6 mixtures: \.members"):
            getattr(ensemble[0], name)
    with pytest.raises(NotFittedError, match="members"):
        OutlierAEGMM.auto(6, ensemble=2).members  # noqa: B018


def test_a_detector_alone_is_its_only_member(fitted):
    (member,) = fitted.members
    assert member.net is fitted.net
    assert member.mixtures == (fitted.mixture,)


def test_the_score_is_the_bounded_mean_of_the_members_energies(ensemble, normal_rows):
    from sklearn.decomposition import PCA

    detector, _ = ensemble
    rows = normal_rows.astype(np.float64)
    lower, median, upper = np.percentile(rows, [25, 50, 75], axis=0)
    new = 3 * rows[:50] + 1
    train, test = (
        np.arcsinh((r - median) / (upper - lower)).astype(np.float32) for r in (rows, new)
    )
    pca = PCA(6, svd_solver="covariance_eigh").fit(train.astype(np.float64))

    def energies(prepared):
        behind = pca.transform(prepared.astype(np.float64))
        found = []
        for net, mixtures in detector.members:
            z = np.asarray(net(prepared)[1])
            whole = np.concatenate([z, behind], axis=1)
            found += [m.energy(seen) for m, seen in zip(mixtures, (whole, whole, z), strict=True)]
        return np.array(found)

    of_train = energies(train)
    centre = np.median(of_train, axis=1)
    spread = np.subtract(*np.percentile(of_train, [75, 25], axis=1))
    for given, prepared in ((rows, train), (new, test)):
        voices = 4.0 * np.arcsinh((energies(prepared) - centre[:, None]) / spread[:, None] / 4.0)
        want = centre.mean() + spread.mean() * voices.mean(axis=0)
        np.testing.assert_allclose(detector.score(given), want, rtol=1e-4, atol=1e-3)


def test_scores_of_an_ensemble_do_not_depend_on_the_batch(ensemble, normal_rows):
    detector, _ = ensemble
    want = detector.score(normal_rows)
    order = np.random.default_rng(0).permutation(len(normal_rows))
    np.testing.assert_array_equal(detector.score(normal_rows[order]), want[order])
    for size in (1, 63, 64, 65):
        np.testing.assert_array_equal(detector.score(normal_rows[:size]), want[:size])
    parts = [detector.score(part) for part in np.array_split(normal_rows, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), want)


def test_the_same_seed_gives_an_ensemble_with_the_same_scores(ensemble, normal_rows):
    detector, history = ensemble
    again = OutlierAEGMM.auto(6, ensemble=2)
    assert again.fit(normal_rows, **BRIEF, seed=0).history == history.history
    np.testing.assert_array_equal(again.score(normal_rows), detector.score(normal_rows))
    again.fit(normal_rows, **BRIEF, seed=1)
    assert (again.score(normal_rows) != detector.score(normal_rows)).any()


def test_a_recipe_of_ones_own_is_made_of_the_pieces_of_auto(ensemble, normal_rows):
    usual, _ = ensemble
    settings = {"normalize": usual.config.normalize, "seed": 0}
    again = OutlierAEGMM.from_blueprint(usual.blueprint, usual.fit_config, **settings)
    one = OutlierAEGMM.from_blueprint(
        usual.blueprint.replace(members=None),
        usual.fit_config.replace(density=usual.fit_config.density.replace(parts=("single",))),
        **settings,
    )
    again.fit(normal_rows, **BRIEF)
    one.fit(np.tile(normal_rows, (4, 1)), **BRIEF)  # as many batches as the test of anomalies has
    np.testing.assert_array_equal(again.score(normal_rows), usual.score(normal_rows))
    assert one.mixture.mu.shape == (1, 5)


@pytest.mark.parametrize("setting", [{"n_gmm": 7}, {"kind": "aegmm"}])
def test_what_the_packages_own_nets_decide_is_no_argument(setting):
    with pytest.raises(ConfigurationError, match="not an argument here"):
        OutlierAEGMM.auto(6, **setting)
    with pytest.raises(ConfigurationError, match="not an argument here"):
        OutlierAEGMM.from_sizes(6, [4, 2], [5, 2], **setting)


def test_nets_that_a_user_brought_have_no_blueprint(fitted):
    assert fitted.blueprint is None


@pytest.mark.parametrize("share", [-0.1, 0.3, float("nan"), "some"])
def test_a_contamination_that_cannot_be_is_refused(share):
    with pytest.raises(ConfigurationError, match="contamination"):
        OutlierAEGMM.auto(6, contamination=share)


def test_anomalies_among_the_training_rows_are_found_when_their_share_is_told():
    rng = np.random.default_rng(0)
    code = rng.normal(size=(2000, 2))
    usual = np.tanh(code @ rng.normal(size=(2, 6))) + 0.1 * rng.normal(size=(2000, 6))
    strange = 2.0 * rng.normal(size=(200, 6))  # of all sorts
    rows = np.concatenate([usual, strange])
    detector = OutlierAEGMM.auto(6, ensemble=1, contamination=0.1, seed=0, threshold=0.0)
    assert detector.fit_config.density.trim == pytest.approx(0.2)
    detector.fit(rows, epochs=5, verbose=0)
    found = np.argsort(detector.score(rows))[-200:] >= 2000
    assert found.mean() > 0.9


@pytest.mark.parametrize("size", [0, -1, 65, 1.5, "many"])
def test_an_ensemble_of_no_nets_or_hundreds_is_refused(size):
    with pytest.raises(ConfigurationError, match="ensemble"):
        OutlierAEGMM.auto(6, ensemble=size)


def half_cosine(n_steps):
    """Rate of the last of so many steps, by Keras's own schedule."""
    return float(keras.optimizers.schedules.CosineDecay(1e-3, n_steps)(n_steps - 1))


def test_the_learning_rate_of_auto_decays_to_nothing_over_the_training(ensemble):
    rate, steps = last_rate(ensemble[1])
    assert steps == 3  # 600 rows in batches of 256
    assert rate == pytest.approx(half_cosine(3), rel=1e-5)


def test_auto_trains_by_steps_and_passes_over_few_rows_so_often_unless_told_epochs(
    normal_rows, monkeypatch
):
    detector = OutlierAEGMM.auto(6, ensemble=2, seed=0)
    by_steps = {name: value for name, value in BRIEF.items() if name != "epochs"}
    # Passes of three steps; the least of both numbers counts.
    for n_steps, max_passes, told, want in (
        (100, 2, {}, 6),
        (5, 2, {}, 5),
        (100, 2, {"epochs": 1}, 3),
    ):
        config = detector.fit_config.replace(n_steps=n_steps, max_passes=max_passes)
        monkeypatch.setattr(detector, "_fit_config", config)
        # In blocks of three steps, for which there is a program.
        history = detector.fit(normal_rows, **by_steps, **told, steps_per_execution=3)
        rate, steps = last_rate(history)
        assert steps == want
        assert rate == pytest.approx(half_cosine(want), rel=1e-5)


def test_auto_survives_rows_that_are_all_alike():
    rows = np.ones((600, 6))
    detector = OutlierAEGMM.auto(6, ensemble=2, seed=0)
    detector.fit(rows, **BRIEF)
    assert np.isfinite(detector.score(rows)).all()
    assert detector.score(rows + 1.0)[0] > detector.score(rows)[0]


@pytest.mark.parametrize("callbacks", ["x", [1], [keras.callbacks.TerminateOnNaN(), None]])
def test_what_is_no_callback_is_refused_and_nothing_is_lost(fitted, normal_rows, callbacks):
    before = fitted.score(normal_rows)
    with pytest.raises(ConfigurationError, match="callbacks holds"):
        fitted.fit(normal_rows, **QUICK, callbacks=callbacks)
    np.testing.assert_array_equal(fitted.score(normal_rows), before)


# --- no training -----------------------------------------------------------------------------


def test_no_epochs_estimate_the_mixture_of_trained_nets_and_leave_them(make_nets, normal_rows):
    nets = make_nets()
    detector = OutlierAEGMM(threshold=0.0, **nets)
    before = weights(detector)
    history = detector.fit(normal_rows, epochs=0, verbose=0)
    assert history.history == {}
    assert history.epoch == []
    for old, new in zip(before, weights(detector), strict=True):
        np.testing.assert_array_equal(old, new)
    still = OutlierAEGMM(threshold=0.0, **nets)
    still.fit(normal_rows, **STILL)
    np.testing.assert_array_equal(detector.score(normal_rows), still.score(normal_rows))


def test_no_epochs_are_rejected_where_nets_would_be_fresh_or_nothing_is_kept(
    make_nets, normal_rows, tmp_path
):
    with pytest.raises(ConfigurationError, match="trained nets of your own"):
        OutlierAEGMM.from_sizes(6, [4, 1], [3, 2]).fit(normal_rows, epochs=0)
    with pytest.raises(ConfigurationError, match="leave checkpoint_dir out"):
        OutlierAEGMM(**make_nets()).fit(normal_rows, epochs=0, checkpoint_dir=tmp_path)
