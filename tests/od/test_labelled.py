"""Laws of the detector that learns from labelled anomalies."""

import logging

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from aegmm_detect.configs.aegmm import LabelledFitConfig
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.od import OutlierAEGMM, OutlierLabelledAEGMM

SIZES = (6, [8, 2], [4, 2])
QUICK = {"epochs": 3, "verbose": 0, "seed": 1, "jit_compile": False}
RNG = np.random.default_rng(0)
NORMAL, NEW = RNG.normal(size=(600, 6)), RNG.normal(size=(200, 6))
# Close to the normal rows, and all on one side.
ANOMALIES = RNG.normal(1.0, 0.7, size=(300, 6))
# As many rows as of NORMAL: fits on either share a program.
MIXED = np.concatenate([NORMAL[:500], ANOMALIES[:100]])
LABELS = np.repeat([0, 1], [500, 100])


def make(kind="hinge"):
    settings = {"threshold": 0.0, "normalize": "standard", "seed": 2}
    usual = OutlierLabelledAEGMM.from_sizes(*SIZES, **settings)
    config = usual.fit_config.replace(anomaly_loss=kind, w_anomaly=1.0)
    return OutlierLabelledAEGMM.from_blueprint(usual.blueprint, config, **settings)


def found_by(detector, X, y=None):
    """How well new anomalies are found after a longer fit."""
    optimizer = keras.optimizers.Adam(0.01)
    detector.fit(X, y=y, **{**QUICK, "epochs": 30}, optimizer=optimizer)
    scores = detector.score(np.concatenate([NEW, ANOMALIES[100:]]))
    return roc_auc_score(np.repeat([0, 1], 200), scores)


@pytest.fixture(scope="module")
def found_without_labels():
    return found_by(make(), NORMAL)


def test_without_labels_it_is_the_plain_detector():
    plain = OutlierAEGMM.from_sizes(*SIZES, threshold=0.0, normalize="standard", seed=2)
    plain.fit(NORMAL, **QUICK)
    for y in (None, np.zeros(600, dtype=int), np.full(600, -1)):
        detector = make()
        detector.fit(NORMAL, y=y, **QUICK)
        np.testing.assert_allclose(
            detector.score(NORMAL), plain.score(NORMAL), rtol=1e-3, atol=1e-3
        )


def test_anomalies_have_no_part_in_scaling_and_mixture():
    detector = make()
    detector.fit(MIXED + 1e3 * LABELS[:, None], y=LABELS, **QUICK)
    normal = MIXED[LABELS == 0]
    np.testing.assert_allclose(detector.state.normalizer.offset, normal.mean(axis=0))
    assert detector.state.n_rows == 500
    _, z, gamma = map(keras.ops.convert_to_numpy, detector.net(detector.state.prepared(normal)))
    want = (gamma[:, :, None] * z[:, None]).sum(axis=0) / gamma.sum(axis=0)[:, None]
    np.testing.assert_allclose(detector.mu, want, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["hinge", "inverse_energy"])
def test_labels_help_to_find_anomalies_of_their_kind(kind, found_without_labels):
    told = found_by(make(kind), MIXED, LABELS)
    assert told > found_without_labels
    assert told > 0.8


def test_bad_labels_are_refused_and_nothing_is_lost():
    detector = make()
    detector.fit(NORMAL, **QUICK)
    before = detector.score(NORMAL)
    with pytest.raises(InvalidInputError, match="y has 5 labels, but X has 600 rows"):
        detector.fit(NORMAL, y=np.zeros(5, dtype=int), **QUICK)
    with pytest.raises(InvalidInputError):
        detector.fit(NORMAL, y=np.full(600, 7), **QUICK)
    with pytest.raises(InvalidInputError, match="a covariance needs at least 2"):
        detector.fit(NORMAL, y=np.ones(600, dtype=int), **QUICK)
    with pytest.raises(ConfigurationError, match="loss_fn sees no labels"):
        detector.fit(NORMAL, lambda *_, **__: 0.0, y=np.zeros(600, dtype=int), **QUICK)
    with pytest.raises(ConfigurationError, match="labels out for a stream"):
        detector.fit(lambda: [NORMAL], y=np.zeros(600, dtype=int), **QUICK)
    np.testing.assert_array_equal(detector.score(NORMAL), before)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ConfigurationError, match="anomaly_loss='inverse'"):
        LabelledFitConfig.of(anomaly_loss="inverse")


def test_labels_of_another_convention_are_told(caplog):
    detector = make()
    with caplog.at_level(logging.WARNING, "aegmm_detect"):
        detector.fit(NORMAL, y=np.repeat([1, -1], [400, 200]), **QUICK)
    assert "np.where(y == -1, 1, 0)" in caplog.text
