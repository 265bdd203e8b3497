"""On which device programs run, and how they are compiled for it."""

import subprocess
import sys

import pytest
import tensorflow as tf

from aegmm_detect.configs.training import TrainingConfig
from aegmm_detect.training.fit import XLA_PAYS_FROM_STEPS, _mode


@pytest.mark.parametrize("n_steps", [1, 1600, XLA_PAYS_FROM_STEPS])
def test_auto_means_xla_on_a_gpu_however_short_the_run(monkeypatch, n_steps):
    devices = {"GPU": ["/GPU:0"]}
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: devices.get(kind, []))
    assert _mode(False, TrainingConfig(), n_steps) == "xla"
    assert _mode(False, TrainingConfig(jit_compile=False), n_steps) == "graph"
    devices.clear()
    long = n_steps >= XLA_PAYS_FROM_STEPS
    assert _mode(False, TrainingConfig(), n_steps) == ("xla" if long else "graph")


def test_a_device_scope_of_the_callers_changes_no_score():
    program = """
import copy
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.programs.tracing import SCORING
SCORING["mode"] = "graph"  # compiles in a quarter of the time
X = np.random.default_rng(0).normal(size=(300, 6)).astype("float32")
detector = OutlierAEGMM.from_sizes(6, [4, 1], [3, 2], threshold=0.0)
detector.fit(X, epochs=1, verbose=0)
fresh = copy.copy(detector)
scores, shares = detector.score(X), detector.explain(X[:3]).shares
with tf.device("/CPU:1"):
    assert np.array_equal(detector.score(X), scores)
    assert np.array_equal(fresh.score(X), scores)
    assert np.array_equal(detector.explain(X[:3]).shares, shares)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=300)
