"""What Keras is set to for the whole process changes no detector."""

import copy
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
# A default dtype of one precision with the policy of another: who follows either is found by one
# fit. Keras lets users have it.
BOTH = "both"


def ensemble_of_drawn_codes():
    """Small nets, with the densities of `auto`."""
    auto = OutlierVAEGMM.auto(6, ensemble=2)
    small = auto.blueprint.replace(sizes=OutlierVAEGMM.from_sizes(*SIZES).blueprint.sizes)
    settings = {"samples": 2, "threshold": 0.0, "normalize": "robust", "seed": 0}
    return OutlierVAEGMM.from_blueprint(small, auto.fit_config, **settings)


MADE = {
    "plain": lambda: OutlierAEGMM.from_sizes(*SIZES, threshold=0.0, seed=0),
    "ensemble of drawn codes": ensemble_of_drawn_codes,
    "quantised code": lambda: OutlierVQAEGMM.from_sizes(*SIZES, threshold=0.0, seed=0),
}


def use(precision):
    """Set Keras's policy and default dtype for the whole process."""
    floatx = "float64" if precision in ("float64", BOTH) else "float32"
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy("mixed_float16" if precision == BOTH else precision)


@pytest.fixture(autouse=True)
def _float32_afterwards():
    yield
    use("float32")


@pytest.mark.parametrize(
    ("kind", "precisions"),
    [
        ("plain", PRECISIONS),
        ("ensemble of drawn codes", [BOTH]),
        ("quantised code", [BOTH]),
    ],
)
def test_a_detector_fits_saves_and_copies_to_the_same_bits(kind, precisions, normal_rows, tmp_path):
    detector = MADE[kind]()
    detector.fit(normal_rows, **QUICK)
    expected = detector.score(normal_rows)
    save_detector(detector, tmp_path / "saved.aegmm")
    for precision in precisions:
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
    for precision in ("float32", BOTH):
        use(precision)
        detector = PerClassAEGMM(MADE["plain"](), threshold=0.0)
        detector.fit(normal_rows, y, **QUICK)
        scores[precision] = detector.score(normal_rows)
    assert np.array_equal(scores[BOTH], scores["float32"])


# Each loss sees outputs of each precision, and those of nets that come ready.
@pytest.mark.parametrize(
    ("precision", "ready", "own_loss"),
    [
        ("mixed_float16", False, False),
        ("float64", False, True),
        ("mixed_float16", True, True),
        ("float64", True, False),
    ],
)
def test_nets_of_another_precision_fit_score_and_explain(
    make_nets, normal_rows, precision, ready, own_loss
):
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
    detector = OutlierAEGMM(threshold=0.0, **nets)
    detector.fit(normal_rows, **QUICK, **({"loss_fn": loss_fn} if own_loss else {}))
    scores = detector.score(normal_rows)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert np.isfinite(detector.explain(normal_rows[:3]).score).all()


def test_penalties_of_layers_are_added_up_whatever_the_precision(normal_rows):
    use("float64")
    y = np.arange(len(normal_rows)) % 2
    brief = {"frozen_epochs": 0, "epochs": 1, "patience": None, "validation_split": 0.0}
    classifier = FewLabelClassifier(hiddens=(4, 2), l2=1e-3, **brief)
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
BACKENDS = ("jax", "numpy")
# Nothing here imports Keras, which would fix the back end of the process.
IMPORTS = f"""
import os, sys
for backend in {BACKENDS}:
    os.environ["KERAS_BACKEND"] = backend
    for code in {NEEDS_TENSORFLOW}:
        try:
            exec(code)
        except ValueError as error:
            print(backend, type(error).__name__, error)
        for name in [name for name in sys.modules if name.startswith("aegmm_detect")]:
            del sys.modules[name]
{NEEDS_NONE}
assert "keras" not in sys.modules
"""


@pytest.fixture(scope="module")
def lines_of_imports():
    """What a process prints that tries each import under each back end."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("backend", BACKENDS)
def test_another_back_end_of_keras_is_rejected_by_name_where_it_matters(backend, lines_of_imports):
    said = [line.split(" ", 1) for line in lines_of_imports]
    lines = [line for found, line in said if found == backend]
    assert len(lines) == len(NEEDS_TENSORFLOW)
    for line in lines:
        assert line.startswith(f"ConfigurationError Keras is set to the back end '{backend}'")
        assert "KERAS_BACKEND=tensorflow" in line
