"""What Keras is set to for the whole process changes no detector."""

import copy
import os
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.few_labels import FewLabelClassifier
from aegmm_detect.od import OutlierAEGMM, OutlierVAEGMM, OutlierVQAEGMM, PerClassAEGMM
from aegmm_detect.saving import load_detector, save_detector

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
QUICK = {"epochs": 1, "verbose": 0}
SIZES = (6, [4, 1], [3, 2])
PRECISIONS = ("mixed_float16", "float64")
MADE = {
    "plain": lambda: OutlierAEGMM.from_sizes(*SIZES, threshold=0.0, seed=0),
    "ensemble": lambda: OutlierAEGMM.auto(6, ensemble=2, threshold=0.0, seed=0),
    "drawn code": lambda: OutlierVAEGMM.from_sizes(*SIZES, samples=2, threshold=0.0, seed=0),
    "quantised code": lambda: OutlierVQAEGMM.from_sizes(*SIZES, threshold=0.0, seed=0),
}


def use(precision):
    """Set Keras's policy and default dtype for the whole process."""
    floatx = "float64" if precision == "float64" else "float32"
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(precision)


@pytest.fixture(autouse=True)
def _float32_afterwards():
    yield
    use("float32")


@pytest.mark.parametrize("kind", MADE)
def test_a_detector_fits_saves_and_copies_to_the_same_bits(kind, normal_rows, tmp_path):
    detector = MADE[kind]()
    detector.fit(normal_rows, **QUICK)
    expected = detector.score(normal_rows)
    save_detector(detector, tmp_path / "saved.aegmm")
    for precision in PRECISIONS:
        use(precision)
        again = MADE[kind]()
        again.fit(normal_rows, **QUICK)
        for other in (
            again,
            load_detector(tmp_path / "saved.aegmm"),
            copy.copy(detector),
            pickle.loads(pickle.dumps(detector)),
        ):
            assert np.array_equal(other.score(normal_rows), expected), precision


def test_nets_of_classes_do_not_follow_it_either(normal_rows):
    y = np.arange(len(normal_rows)) % 2
    scores = {}
    for precision in ("float32", *PRECISIONS):
        use(precision)
        detector = PerClassAEGMM(MADE["plain"](), threshold=0.0)
        detector.fit(normal_rows, y, **QUICK)
        scores[precision] = detector.score(normal_rows)
    for precision in PRECISIONS:
        assert np.array_equal(scores[precision], scores["float32"]), precision


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("ready", [False, True])
def test_nets_of_another_precision_fit_score_and_explain(make_nets, normal_rows, precision, ready):
    def loss_fn(x, x_pred, z, gamma, w_energy, w_cov_diag):
        penalty = keras.ops.mean(z**2) * keras.ops.mean(gamma)
        return keras.ops.mean((x - x_pred) ** 2) + w_energy * penalty

    use(precision)
    nets = make_nets(n_recon=1 if ready else 2)
    if ready:
        x = keras.Input((6,))
        code = nets["encoder_net"](x)
        z = keras.layers.Concatenate()([code, keras.ops.square(code)])
        outputs = (nets["decoder_net"](code), z, nets["gmm_density_net"](z))
        nets = {"aegmm": keras.Model(x, outputs)}
    for loss in ({}, {"loss_fn": loss_fn}):
        detector = OutlierAEGMM(threshold=0.0, **nets)
        detector.fit(normal_rows, **QUICK, **loss)
        scores = detector.score(normal_rows)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
    assert np.isfinite(detector.explain(normal_rows[:3]).score).all()


def test_penalties_of_layers_are_added_up_whatever_the_precision(normal_rows):
    use("float64")
    y = np.arange(len(normal_rows)) % 2
    classifier = FewLabelClassifier(hiddens=(4, 2), l2=1e-3, frozen_epochs=1, epochs=1)
    log = classifier.fit(normal_rows, y, verbose=0).history
    assert log["regularization"][-1] > 0.0
    assert classifier.predict_proba(normal_rows).shape == (len(normal_rows), 2)


def test_a_distribution_strategy_is_rejected_where_it_is_met(make_nets, normal_rows):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    before = OutlierAEGMM.from_sizes(*SIZES, threshold=0.0)
    with strategy.scope():
        nets = make_nets()
        with pytest.raises(ConfigurationError, match=r"outside of strategy.scope\(\)"):
            OutlierAEGMM.from_sizes(*SIZES, threshold=0.0)
        with pytest.raises(ConfigurationError, match="one device"):
            before.fit(normal_rows, **QUICK)
    with pytest.raises(ConfigurationError, match="one device"):
        OutlierAEGMM(threshold=0.0, **nets)


NEEDS_TENSORFLOW = (
    "from aegmm_detect.od import OutlierAEGMM",
    "from aegmm_detect.models.tensorflow import AEGMM",
    "from aegmm_detect.sklearn import AEGMMEstimator",
)
NEEDS_NONE = (
    "from aegmm_detect.scoring import Scorer; from aegmm_detect.datasets import load_thyroid"
)
IMPORTS = f"""
import sys
for code in {NEEDS_TENSORFLOW}:
    try:
        exec(code)
    except ValueError as error:
        print(type(error).__name__, error)
    for name in [name for name in sys.modules if name.startswith("aegmm_detect")]:
        del sys.modules[name]
{NEEDS_NONE}
"""


@pytest.mark.parametrize("backend", ["jax", "numpy"])
def test_another_back_end_of_keras_is_rejected_by_name_where_it_matters(backend):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(NEEDS_TENSORFLOW)
    for line in lines:
        assert line.startswith(f"ConfigurationError Keras is set to the back end '{backend}'")
        assert "KERAS_BACKEND=tensorflow" in line
