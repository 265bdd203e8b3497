"""The seven names of the mixture-model project."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.od import PRESETS, preset

RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(2, 7))
NORMAL = RNG.normal(size=(500, 2)) @ MIX + 0.1 * RNG.normal(size=(500, 7))
ANOMALIES = 6.0 * RNG.normal(size=(60, 7)) * NORMAL.std(axis=0)
QUICK = {"epochs": 20, "batch_size": 100, "optimizer": "adam", "verbose": 0, "jit_compile": False}


@pytest.mark.parametrize("name", PRESETS)
def test_it_trains_decides_and_finds_rows_that_break_the_pattern(name):
    detector = preset(name, 7, seed=1)
    labels = {}
    X = NORMAL[:400]
    if name == "dagmm_loss_mod":
        X = np.concatenate([X, ANOMALIES[:20]])
        labels = {"y": np.repeat([0, 1], [400, 20])}
    detector.fit(X, **labels, **QUICK)
    mixed, truth = np.concatenate([NORMAL[400:], ANOMALIES[20:]]), np.repeat([0, 1], [100, 40])
    partly = {"y": np.where(truth == 1, -1, np.arange(140) % 2 - 1)}
    chosen = PRESETS[name].threshold
    detector.infer_threshold(mixed, **chosen, **(partly if chosen.get("method") == "pu" else {}))
    found = detector.predict(mixed)["data"]
    assert roc_auc_score(truth, found["instance_score"]) > 0.7
    assert 0 < found["is_outlier"].sum() < 140


def test_the_settings_are_the_projects_unless_others_are_given():
    detector = preset("dagmm_infer_mod", 7, normalize="standard", threshold=1.0)
    assert detector.blueprint.sizes.comp_hiddens == (60, 30, 10, 1)
    assert detector.blueprint.sizes.n_gmm == 4
    assert (detector.score_type, detector.config.normalize) == ("both", "standard")
    assert (detector.fit_config.epochs, detector.fit_config.learning_rate) == (200, 1e-4)


def test_an_unknown_name_lists_those_that_exist():
    with pytest.raises(ConfigurationError, match="dagmm, dagmm_vae, dagmm_vqvae, dagmm_lmm"):
        preset("dagmm_gan", 7)
