"""Layers made anew compute what Keras 2 computed; tests/golden/make_keras2_layers.py asked it."""

import json
import logging
from pathlib import Path

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate import layers

with np.load(Path(__file__).parents[1] / "golden" / "keras2_layers.npz") as file:
    STORED = dict(file)
CASES = json.loads(str(STORED["index"]))
DENSE = {"units": 3, "activation": "tanh", "use_bias": True, "dtype": "float32"}


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{n}-{CASES[n]['class_name']}")
def test_a_rebuilt_layer_computes_the_same(number):
    case = CASES[number]
    layer = layers.rebuild(case["class_name"], case["config"], "net.h5")
    x = STORED[f"rows {case['rows']}"]
    layer.build(x.shape)
    assert {weight.name for weight in layer.weights} == set(case["weights"])
    for weight in layer.weights:
        weight.assign(STORED[f"{number} {weight.name}"])
    got = keras.ops.convert_to_numpy(layer(x, training=False) if _takes_mode(layer) else layer(x))
    np.testing.assert_allclose(got, STORED[f"{number} y"], rtol=2e-5, atol=1e-5)


def _takes_mode(layer):
    return isinstance(layer, (keras.layers.Dropout, keras.layers.GaussianNoise)) or hasattr(
        layer, "moving_mean"
    )


def test_every_listed_layer_and_activation_is_compared():
    assert {case["class_name"] for case in CASES} == set(layers._SETTINGS)
    used = {case["config"].get("activation") for case in CASES if case["class_name"] == "Dense"}
    assert used == set(layers._ACTIVATIONS)


@pytest.mark.parametrize(
    "name", ["Lambda", "TFOpLambda", "LSTM", "Custom>Dense", "Functional", "__class__", None, 3, []]
)
def test_other_layers_are_refused(name):
    with pytest.raises(MigrationError, match=r"net\.h5 has a layer .* These can: Activation, "):
        layers.rebuild(name, {"function": "os.system"}, "net.h5")


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("activation", "hard_sigmoid", "activation 'hard_sigmoid'"),
        ("activation", {"class_name": "function", "config": "f"}, "cannot be rebuilt"),
        ("activation", ["tanh"], "cannot be rebuilt"),
        ("dtype", "float64", "computes in 'float64'"),
        ("dtype", {"class_name": "Policy"}, "Only float32"),
        ("lora_rank", 3, "lora_rank=3, which cannot be carried over"),
    ],
)
def test_settings_that_would_be_lost_are_refused(setting, value, told):
    with pytest.raises(MigrationError, match=told):
        layers.rebuild("Dense", {**DENSE, setting: value}, "net.h5")


def test_only_training_misses_regularisers(caplog):
    config = {**DENSE, "kernel_regularizer": {"class_name": "L2"}, "bias_constraint": None}
    with caplog.at_level(logging.WARNING):
        layers.rebuild("Dense", config, "net.h5")
    assert [record.getMessage() for record in caplog.records] == [
        "net.h5: the kernel_regularizer of Dense is left out. Scores do not depend on it; a "
        "further fit would."
    ]


def test_a_frozen_layer_stays_frozen():
    assert not layers.rebuild("Dense", {**DENSE, "trainable": False}, "net.h5").trainable
