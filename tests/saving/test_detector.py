"""Every kind of detector comes back as it was, or says why it cannot be saved."""

import copy
import dataclasses
import functools
import pickle
import types

import keras
import numpy as np
import pandas as pd
import pytest
from keras import ops

from aegmm_detect.exceptions import ArtefactError, ConfigurationError, InvalidInputError
from aegmm_detect.models.tensorflow import AEGMM
from aegmm_detect.numerics import features
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.saving import load_detector, save_detector
from aegmm_detect.saving.archive import read_archive, write_archive
from aegmm_detect.saving.detector import artefact_of
from aegmm_detect.saving.manifest import Artefact

QUICK = {"epochs": 1, "batch_size": 64, "verbose": 0, "seed": 0}


@keras.saving.register_keras_serializable("tests")
def largest(x, x_recon):
    return ops.max(ops.abs(x - x_recon), axis=-1, keepdims=True)


def unregistered(x, x_recon):
    return largest(x, x_recon)


def in_numpy(x, x_recon):
    return np.abs(np.asarray(x) - np.asarray(x_recon)).max(axis=1, keepdims=True)


@keras.saving.register_keras_serializable("tests")
class Squashed:
    """A feature with a setting, which is one of Keras's functions."""

    def __init__(self, squash=keras.activations.softsign):
        self.squash = squash

    def __call__(self, x, x_recon):
        return self.squash(largest(x, x_recon))

    def get_config(self):
        return {"squash": keras.saving.serialize_keras_object(self.squash)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["squash"]))


@keras.saving.register_keras_serializable("tests")
class Half(keras.layers.Layer):
    def call(self, x):
        return 0.5 * x


@keras.saving.register_keras_serializable("tests")
class Ready(keras.Model):
    """All in one, as a user might write it."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.encode, self.decode = keras.layers.Dense(2), keras.layers.Dense(width)
        self.assign = keras.layers.Dense(2, "softmax")

    def build(self, input_shape):
        self.encode.build(input_shape)
        self.decode.build((None, 2))
        self.assign.build((None, 2))

    def call(self, x, training=None):
        z = self.encode(x)
        return self.decode(z), z, self.assign(z)

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def functional(nets):
    """The nets with an encoder of two branches and a layer of the user's own."""
    x = keras.Input((6,))
    branches = [keras.layers.Dense(3, "tanh")(x), Half()(keras.layers.Dense(3)(x))]
    code = keras.layers.Dense(1)(keras.layers.Concatenate()(branches))
    return {**nets, "encoder_net": keras.Model(x, code, name="two_branches")}


def built(net):
    net.build((None, 6))
    return net


SIZES = (6, [8, 1], [6, 2])
KINDS = {
    "sequential": lambda nets: OutlierAEGMM(**nets()),
    "layers with a state": lambda nets: OutlierAEGMM(
        **nets(batch_norm=True, dropout=0.2, kernel_regularizer="l2"), normalize="standard"
    ),
    "functional": lambda nets: OutlierAEGMM(**functional(nets()), normalize="minmax"),
    "own features": lambda nets: OutlierAEGMM(**nets(n_recon=1), recon_features=largest),
    "concat": lambda nets: OutlierAEGMM(
        **nets(n_recon=4),
        recon_features=features.concat(largest, features.eucl_cosim_features, Squashed()),
    ),
    "ready AEGMM": lambda nets: OutlierAEGMM(aegmm=AEGMM(*nets().values())),
    "ready": lambda nets: OutlierAEGMM(aegmm=built(Ready(6))),
    "from sizes": lambda nets: OutlierAEGMM.from_sizes(*SIZES, seed=1, score_type="both"),
    "auto, one net": lambda nets: OutlierAEGMM.auto(6, ensemble=1, seed=1, nan_policy="flag"),
}


@pytest.fixture(scope="module", params=KINDS)
def detector(request, make_nets, normal_rows):
    """Fitted, with weights that no seed draws: nets of a user's without a step."""
    detector = KINDS[request.param](make_nets)
    if detector.blueprint is not None:  # its fit draws weights anew
        detector.fit(normal_rows, **QUICK)
        return detector
    rng = np.random.default_rng(0)
    for weight in detector.net.weights:
        weight.assign(weight * rng.uniform(0.5, 1.5) + rng.uniform(0.0, 0.1, weight.shape))
    detector.fit(normal_rows, **{**QUICK, "epochs": 0})
    return detector


def same_parts(one, other):
    """Everything that is written, but for Keras's own files, which are never twice the same."""
    first, second = artefact_of(one), artefact_of(other)
    assert first.contents.get("state") == second.contents.get("state")
    nothing = {"files": {}}
    assert first.manifest.replace(**nothing) == second.manifest.replace(**nothing)
    for mine, theirs in zip(one.net.get_weights(), other.net.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_directory_and_a_file_hold_the_same(fitted, normal_rows, tmp_path):
    for name in ("saved", "saved.aegmm"):
        save_detector(fitted, tmp_path / name)
        assert (tmp_path / name).is_file() is name.endswith(".aegmm")
        loaded = load_detector(tmp_path / name)
        same_parts(loaded, fitted)
        np.testing.assert_array_equal(loaded.score(normal_rows), fitted.score(normal_rows))


def test_it_scores_to_the_last_bit_alike_and_saves_alike(detector, normal_rows, tmp_path):
    save_detector(detector, tmp_path / "saved.aegmm")
    loaded = load_detector(tmp_path / "saved.aegmm")
    same_parts(loaded, detector)
    np.testing.assert_array_equal(loaded.score(normal_rows), detector.score(normal_rows))
    assert loaded.blueprint == detector.blueprint
    assert (loaded.threshold, loaded.threshold_inferred) == (None, False)
    for mine, theirs in zip(loaded.members, detector.members, strict=True):
        np.testing.assert_array_equal(mine.mixtures[0].L, theirs.mixtures[0].L)


def test_it_pickles(detector):
    other = pickle.loads(pickle.dumps(detector))
    same_parts(other, detector)
    assert not other.members[0].mixtures[0].mu.flags.writeable


def test_before_fit_it_saves_the_initial_weights(make_nets, normal_rows, tmp_path):
    for number, make in enumerate(KINDS.values()):
        detector = make(make_nets)
        save_detector(detector, tmp_path / f"{number}.aegmm")
        loaded = load_detector(tmp_path / f"{number}.aegmm")
        assert not loaded.fitted
        same_parts(loaded, detector)


def test_names_of_columns_are_kept(fitted, normal_rows, tmp_path):
    frame = pd.DataFrame(normal_rows, columns=["a", "ü", "", "0", "x y", "\n"])
    detector = copy.copy(fitted)
    state = dataclasses.replace(detector.state, names=tuple(frame.columns))
    detector.adopt(state)
    detector.restore_decisions(True, None)
    save_detector(detector, tmp_path)
    loaded = load_detector(tmp_path)
    assert loaded.threshold_inferred
    np.testing.assert_array_equal(loaded.score(frame), fitted.score(normal_rows))
    with pytest.raises(ValueError, match="columns"):
        loaded.score(frame.rename(columns={"a": "b"}))


@pytest.mark.parametrize("threshold", [-3.25, float("inf"), 1e-300, 0.1 + 0.2, -0.0])
def test_files_keep_thresholds_to_the_last_bit(artefact, tmp_path, threshold):
    entry = artefact.manifest.threshold.replace(value=threshold)
    saved = Artefact(artefact.manifest.replace(threshold=entry), artefact.contents)
    write_archive(tmp_path / "x.aegmm", saved)
    found = read_archive(tmp_path / "x.aegmm").manifest.threshold
    assert np.float64(found.value).tobytes() == np.float64(threshold).tobytes()
    assert found.inferred is False


@pytest.mark.parametrize("threshold", [0.1 + 0.2, -0.0])
def test_thresholds_are_kept_to_the_last_bit(make_nets, tmp_path, threshold):
    save_detector(OutlierAEGMM(threshold, **make_nets()), tmp_path)
    loaded = load_detector(tmp_path)
    assert np.float64(loaded.threshold).tobytes() == np.float64(threshold).tobytes()
    assert loaded.threshold_inferred is False


def test_a_fit_that_failed_saves_as_not_fitted(make_nets, normal_rows, tmp_path):
    detector = OutlierAEGMM(**make_nets())
    detector.fit(normal_rows, epochs=0)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detector.fit(normal_rows, **QUICK, callbacks=Stop())
    save_detector(detector, tmp_path)
    for other in (load_detector(tmp_path), copy.deepcopy(detector)):
        assert not other.fitted


def test_calibration_and_the_memory_of_trained_rows_are_kept(fitted, normal_rows, tmp_path):
    detector = copy.deepcopy(fitted)
    save_detector(detector, tmp_path)
    assert load_detector(tmp_path).calibration is None
    rng = np.random.default_rng(0)
    detector.calibrate(normal_rows + 0.01 * rng.normal(size=normal_rows.shape))
    save_detector(detector, tmp_path)
    loaded = load_detector(tmp_path)
    for got, want in zip(
        loaded.predict(normal_rows, return_p_value=True)["data"].values(),
        detector.predict(normal_rows, return_p_value=True)["data"].values(),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(InvalidInputError, match="trained"):
        loaded.calibrate(normal_rows)
    # New rows weigh as much as they would have for the detector that was saved.
    new = normal_rows[:50] + 1.0
    detector.update(new)
    loaded.update(new)
    np.testing.assert_array_equal(loaded.score(new), detector.score(new))


@pytest.mark.filterwarnings("ignore:recon_features .or a net. cannot run inside a compiled graph")
@pytest.mark.parametrize("function", [unregistered, in_numpy])
def test_functions_that_are_not_registered_are_passed_in(
    make_nets, normal_rows, tmp_path, function
):
    detector = OutlierAEGMM(**make_nets(n_recon=1), recon_features=function)
    detector.fit(normal_rows, epochs=0)
    save_detector(detector, tmp_path)
    name = function.__name__
    with pytest.raises(ArtefactError, match=f"'{name}', which is not known.*custom_objects"):
        load_detector(tmp_path)
    renamed = types.FunctionType(function.__code__, globals(), "renamed")
    assert load_detector(tmp_path, custom_objects={name: renamed}).net.recon_features is renamed
    loaded = load_detector(tmp_path, custom_objects={name: function})
    np.testing.assert_array_equal(loaded.score(normal_rows), detector.score(normal_rows))


def test_layers_that_are_not_registered_are_passed_in(make_nets, tmp_path):
    class Third(keras.layers.Layer):
        def call(self, x):
            return x / 3.0

    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1), Third()])
    detector = OutlierAEGMM(**{**make_nets(), "encoder_net": encoder})
    save_detector(detector, tmp_path)
    with pytest.raises(ArtefactError, match="encoder needs 'Third', which is not known"):
        load_detector(tmp_path)
    loaded = load_detector(tmp_path, custom_objects={"Third": Third})
    assert isinstance(loaded.net.encoder.layers[-1], Third)


def net_with(layer):
    return keras.Sequential([keras.Input((6,)), layer, keras.layers.Dense(1)])


class WithoutConfig:
    def __call__(self, x, x_recon):
        return largest(x, x_recon)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")  # by copy
def test_lambdas_are_refused_when_saving(make_nets, tmp_path):
    bad_nets = [
        net_with(keras.layers.Lambda(lambda x: x)),
        net_with(keras.layers.Lambda(ops.tanh)),
        net_with(keras.layers.Dense(6, activation=lambda x: x)),
        net_with(keras.Sequential([keras.Input((6,)), keras.layers.Lambda(lambda x: x)])),
    ]
    for net in bad_nets:
        detector = OutlierAEGMM(**{**make_nets(), "encoder_net": net})
        with pytest.raises(ArtefactError, match=r"encoder.* holds a [lL]ambda.*register"):
            save_detector(detector, tmp_path / "saved")
    bad_features = [
        lambda x, x_recon: largest(x, x_recon),
        functools.partial(unregistered),
        WithoutConfig(),
        features.concat(largest, lambda x, x_recon: largest(x, x_recon)),
    ]
    for function in bad_features:
        n_recon = 2 if isinstance(function, features.Concat) else 1
        detector = OutlierAEGMM(**make_nets(n_recon=n_recon), recon_features=function)
        with pytest.raises(ArtefactError, match=r"recon_features .*register"):
            save_detector(detector, tmp_path / "saved")
        assert copy.copy(detector).net.recon_features is not None
    assert list(tmp_path.iterdir()) == []


def test_nets_without_weights_and_foreign_classes_are_refused(make_nets, fitted, tmp_path):
    nets = {**make_nets(), "encoder_net": keras.Sequential([keras.layers.Dense(1)])}
    with pytest.raises(ArtefactError, match=r"encoder has no weights yet.*keras\.Input"):
        save_detector(OutlierAEGMM(**nets), tmp_path / "saved")

    class Mine(OutlierAEGMM):
        pass

    for other in (Mine(**make_nets()), keras.Sequential(), None):
        with pytest.raises(ArtefactError, match=r"saves OutlierAEGMM, .*; it got"):
            save_detector(other, tmp_path / "saved")


def test_other_versions_are_logged(fitted, tmp_path, caplog, monkeypatch):
    save_detector(fitted, tmp_path)
    load_detector(tmp_path)
    assert "Saved with" not in caplog.text
    monkeypatch.setattr(keras, "__version__", "99.0")
    load_detector(tmp_path)
    assert "Saved with keras" in caplog.text
    assert "(here 99.0)" in caplog.text


def test_a_link_to_a_saved_detector_is_followed_when_saving(fitted, tmp_path):
    for name in ("saved", "saved.aegmm"):
        save_detector(fitted, tmp_path / name)
        (tmp_path / f"latest-{name}").symlink_to(tmp_path / name)
        other = copy.copy(fitted)
        other.threshold = 7.0
        save_detector(other, tmp_path / f"latest-{name}")
        assert (tmp_path / f"latest-{name}").is_symlink()
        assert load_detector(tmp_path / name).threshold == 7.0


def test_it_pickles_after_everything_was_compiled(fitted, normal_rows):
    detector = copy.copy(fitted)
    detector.explain(normal_rows[:3])
    detector.score(normal_rows)
    other = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(other.score(normal_rows), fitted.score(normal_rows))


def test_the_score_type_of_a_loaded_detector_can_change(fitted, normal_rows, tmp_path):
    save_detector(fitted, tmp_path)
    one, other = load_detector(tmp_path), copy.copy(fitted)
    for score_type in ("reconstruction", "both"):
        one.score_type = other.score_type = score_type
        np.testing.assert_array_equal(one.score(normal_rows), other.score(normal_rows))
    with pytest.raises(ConfigurationError):
        one.score_type = "other"
