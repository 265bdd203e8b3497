"""Laws of the detector with a quantised code."""

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ConfigurationError, NetTypeError
from aegmm_detect.od import OutlierVQAEGMM
from aegmm_detect.saving import load_detector, save_detector

QUICK = {"epochs": 3, "verbose": 0, "seed": 1, "jit_compile": False}


def make():
    return OutlierVQAEGMM.from_sizes(
        6, [8, 2], [4, 2], threshold=0.0, n_codes=5, normalize="standard"
    )


@pytest.fixture(scope="module")
def detector(normal_rows):
    detector = make()
    detector.history = detector.fit(normal_rows, **QUICK).history
    return detector


def codes(detector, rows):
    code, _ = detector.net.encode(detector.state.prepared(rows), False)
    return keras.ops.convert_to_numpy(code)


def test_a_code_is_one_of_the_vectors(detector, normal_rows):
    vectors = detector.net.code.codebook.numpy()
    found = np.unique(codes(detector, normal_rows), axis=0)
    distances = np.abs(found[:, None] - vectors[None]).max(axis=2).min(axis=1)
    assert len(vectors) == 5
    assert distances.max() < 1e-5


def test_perplexity_and_commitment_are_logged(detector):
    assert {"commitment", "perplexity"} <= detector.history.keys()
    assert all(1.0 <= value <= 5.0 for value in detector.history["perplexity"])


def test_no_component_has_a_variance_of_nothing(detector):
    assert np.linalg.eigvalsh(detector.cov).min() > 0.0
    assert np.isfinite(detector.log_det_cov).all()


def test_the_codebook_follows_the_rows(normal_rows):
    detector = make()
    # The nets stand still.
    detector.fit(normal_rows, optimizer=keras.optimizers.Adam(0.0), **{**QUICK, "epochs": 60})
    prepared = detector.state.prepared(normal_rows)
    hidden = keras.ops.convert_to_numpy(detector.net.encoder(prepared))
    code = detector.net.code
    nearest = keras.ops.convert_to_numpy(code.nearest(hidden))
    for k in np.unique(nearest):
        want = hidden[nearest == k].mean(axis=0)
        np.testing.assert_allclose(code.codebook.numpy()[k], want, atol=0.15 * hidden.std())


def test_few_rows_are_enough_for_many_vectors():
    rows = np.random.default_rng(0).normal(size=(10, 6))
    detector = OutlierVQAEGMM.from_sizes(6, [4, 2], [4, 2], threshold=0.0, n_codes=16)
    detector.fit(rows, **QUICK)
    assert np.isfinite(detector.score(rows)).all()


def test_own_nets_are_quantised_and_saved(make_nets, normal_rows, tmp_path):
    detector = OutlierVQAEGMM(0.0, **make_nets(), n_codes=3)
    detector.fit(normal_rows, **QUICK)
    assert len(np.unique(codes(detector, normal_rows))) <= 3
    save_detector(detector, tmp_path / "vq.aegmm")
    other = load_detector(tmp_path / "vq.aegmm")
    np.testing.assert_array_equal(other.score(normal_rows), detector.score(normal_rows))


def test_what_does_not_fit_is_refused(make_nets):
    with pytest.raises(ConfigurationError, match="n_codes=1"):
        OutlierVQAEGMM(0.0, **make_nets(), n_codes=1)
    with pytest.raises(NetTypeError, match="encoder_net is missing"):
        OutlierVQAEGMM(0.0)
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ConfigurationError, match="encoder_net does not say how wide"):
        OutlierVQAEGMM(0.0, **{**make_nets(), "encoder_net": unbuilt})


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_it_can_be_exported(detector, normal_rows, tmp_path, format):
    # Reloaded and compared there.
    detector.threshold = float(np.median(detector.score(normal_rows)))
    metadata = detector.export(tmp_path / format, format, normal_rows)
    assert metadata.largest_difference < 1e-3
