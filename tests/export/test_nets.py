"""Nets that make tensors of their own, and nets that no format holds."""

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ArtefactError, ConfigurationError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.scoring import Scorer


def net_of(*layers):
    return keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(1)], name="encoder")


def test_adapted_layers_are_exported(export_net, normal_rows, light_format, tmp_path):
    rows = 3.0 * normal_rows + 100.0
    scaling = keras.layers.Normalization()
    scaling.adapt(rows)
    net = net_of(scaling, keras.layers.Dense(4, "tanh"))
    export_net(net, tmp_path / "export", light_format, X=rows)
    np.testing.assert_allclose(
        Scorer(tmp_path / "export").score(rows), net.predict(rows)[:, 0], rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize(("activation", "operation"), [("celu", "Expm1"), ("gelu", "Erfc")])
def test_what_onnx_lacks_is_named_with_its_layer(export_net, tmp_path, activation, operation):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    net = net_of(keras.layers.Dense(4, activation, name="crooked"))
    with pytest.raises(ArtefactError, match=rf"{operation} \(in '.*crooked.*another format"):
        export_net(net, tmp_path / "export", "onnx")
    assert list(tmp_path.iterdir()) == []


def test_loops_are_no_part_of_onnx_exports_and_unrolled_layers_are(
    export_net, normal_rows, tmp_path
):
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    for unroll in (False, True):
        net = net_of(keras.layers.Reshape((3, 2)), keras.layers.GRU(4, unroll=unroll))
        if unroll:
            export_net(net, tmp_path / "export", "onnx", X=normal_rows)
        else:
            with pytest.raises(ArtefactError, match=r"a loop or a branch.*unroll=True"):
                export_net(net, tmp_path / "export", "onnx", X=normal_rows)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_named_and_leaves_nothing(
    export_net, normal_rows, light_format, tmp_path, policy
):
    net = net_of(keras.layers.Dense(4, "tanh", dtype=policy))
    with pytest.raises(ArtefactError, match=rf"in {policy[6:]},.*'float32'.*'savedmodel'"):
        export_net(net, tmp_path / "export", light_format, X=normal_rows)
    assert list(tmp_path.iterdir()) == []


def in_numpy(x):
    if keras.backend.is_keras_tensor(x):
        return x
    return keras.ops.convert_to_tensor(np.tanh(np.asarray(x)))


def test_the_layer_that_runs_uncompiled_is_named(make_nets, normal_rows, tmp_path):
    """And not the features, which are innocent."""
    encoder = net_of(keras.layers.Dense(4, in_numpy, name="crooked"))
    detector = OutlierAEGMM(threshold=0.0, **{**make_nets(), "encoder_net": encoder})
    with pytest.warns(UserWarning, match="uncompiled"):
        detector.fit(normal_rows[:100], epochs=0, verbose=0, seed=0)
    with pytest.raises(ConfigurationError, match=r"write the layer 'crooked' with keras\.ops"):
        detector.export(tmp_path / "export")
