"""A detector that was carried over is the one that alibi-detect saved."""

import logging
import shutil

import numpy as np
import pytest
from keras import ops

from aegmm_detect.exceptions import AEGMMError, ConfigurationError, MigrationError
from aegmm_detect.migrate import from_alibi_detect
from aegmm_detect.numerics.features import eucl_cosim_features, eucl_cosim_features_alibi
from aegmm_detect.od import OutlierAEGMM


def residuals(x, x_recon):
    """The feature function of `own_features`, in `keras.ops`."""
    return ops.stack([ops.mean((x - x_recon) ** 2, axis=1), ops.max(x - x_recon, axis=1)], axis=1)


FEATURES = {"tabular": None, "images": None, "own_features": residuals}


def expected_of(folder):
    with np.load(folder / "expected.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def carried(golden):
    """Name -> (detector, what its source returned)."""
    return {
        name: (
            from_alibi_detect(golden / name, recon_features=features),
            expected_of(golden / name),
        )
        for name, features in FEATURES.items()
    }


@pytest.mark.parametrize("name", FEATURES)
def test_scores_are_those_of_the_source(carried, name):
    detector, expected = carried[name]
    # Both compute in float32, in different orders: 1e-7 for each of some tens of operations, and
    # an energy near 0 is a difference of terms of the size of log_det_cov.
    np.testing.assert_allclose(
        detector.score(expected["rows"]), expected["scores"], rtol=2e-6, atol=5e-5
    )


@pytest.mark.parametrize("name", FEATURES)
def test_decisions_and_threshold_are_those_of_the_source(carried, name):
    detector, expected = carried[name]
    assert detector.threshold == expected["threshold"]
    found = detector.predict(expected["rows"])["data"]["is_outlier"]
    assert 0 < found.sum() < len(found)
    np.testing.assert_array_equal(found, expected["is_outlier"])


@pytest.mark.parametrize("name", FEATURES)
def test_the_mixture_is_that_of_the_source(carried, name):
    detector, expected = carried[name]
    for parameter in ("phi", "mu"):
        np.testing.assert_array_equal(getattr(detector, parameter), expected[parameter])
    np.testing.assert_allclose(detector.L, expected["L"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(detector.log_det_cov, expected["log_det_cov"], rtol=1e-6, atol=1e-5)
    # The source adds 1e-6 to the diagonal before it takes the factor that it scores by.
    np.testing.assert_allclose(detector.cov, expected["cov"], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(("name", "data_type"), [("tabular", "tabular"), ("images", "image")])
def test_settings_carry_over(carried, name, data_type):
    detector, _ = carried[name]
    assert type(detector) is OutlierAEGMM
    assert detector.fitted
    assert detector.config.n_gmm == 2
    assert detector.meta["data_type"] == data_type


def test_the_slipped_feature_keeps_its_own_name_and_matters(carried):
    detector, expected = carried["tabular"]
    assert detector.net.recon_features is eucl_cosim_features_alibi
    x_recon, _, _ = detector.net(expected["rows"])
    slipped = ops.convert_to_numpy(eucl_cosim_features_alibi(expected["rows"], x_recon))
    meant = ops.convert_to_numpy(eucl_cosim_features(expected["rows"], x_recon))
    assert np.abs(slipped - meant).max() > 0.1


def test_a_further_fit_works_and_clears_the_threshold(golden, normal_rows, caplog):
    detector = from_alibi_detect(golden / "tabular")
    with caplog.at_level(logging.WARNING):
        detector.fit(normal_rows, epochs=1, verbose=0, jit_compile=False)
    assert "is cleared" in caplog.text
    assert detector.threshold is None
    assert np.isfinite(detector.score(normal_rows)).all()


def test_what_only_training_uses_is_left_out_and_said(golden, caplog):
    with caplog.at_level(logging.WARNING):
        from_alibi_detect(golden / "tabular")
    assert "kernel_regularizer of Dense is left out" in caplog.text


def test_features_of_ones_own_are_asked_for(golden):
    with pytest.raises(MigrationError, match=r"dill\._dill\._create_function.*recon_features="):
        from_alibi_detect(golden / "own_features")


def test_features_that_would_change_scores_are_refused(golden):
    with pytest.raises(ConfigurationError, match="leave recon_features out"):
        from_alibi_detect(golden / "tabular", recon_features=residuals)


def test_features_of_another_width_do_not_fit(golden):
    def one(x, x_recon):
        return ops.mean((x - x_recon) ** 2, axis=1, keepdims=True)

    with pytest.raises(MigrationError, match=r"does not fit together.*recon_features"):
        from_alibi_detect(golden / "own_features", recon_features=one)


def test_features_in_numpy_score_the_same(golden):
    def in_numpy(x, x_recon):
        x, x_recon = np.asarray(x), np.asarray(x_recon)
        return np.stack([((x - x_recon) ** 2).mean(axis=1), (x - x_recon).max(axis=1)], axis=1)

    expected = expected_of(golden / "own_features")
    with pytest.warns(UserWarning, match="recon_features"):
        detector = from_alibi_detect(golden / "own_features", recon_features=in_numpy)
    np.testing.assert_allclose(
        detector.score(expected["rows"]), expected["scores"], rtol=2e-6, atol=5e-5
    )


def test_other_detectors_are_named(golden):
    with pytest.raises(MigrationError, match=r"class 'OutlierVAEGMM'.*Only OutlierAEGMM"):
        from_alibi_detect(golden / "variational")


def test_an_empty_folder_and_no_folder_are_foreign(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(MigrationError, match=r"meta\.dill.*save_detector"):
            from_alibi_detect(folder)


@pytest.mark.parametrize(
    "name", ["OutlierAEGMM.dill", *(f"model/{n}_net.h5" for n in ("encoder", "gmm_density"))]
)
def test_a_missing_file_is_named(artefact, name):
    (artefact / name).unlink()
    with pytest.raises(MigrationError, match=name.rpartition("/")[2]):
        from_alibi_detect(artefact)


def test_nets_of_another_detector_do_not_fit(artefact, golden):
    shutil.copy(golden / "images" / "model" / "encoder_net.h5", artefact / "model")
    with pytest.raises(MigrationError, match=r"does not fit together.*decoder_net returns rows"):
        from_alibi_detect(artefact)


def test_errors_are_the_packages_own_and_answer_requests(golden):
    with pytest.raises(AEGMMError) as caught:
        from_alibi_detect(golden / "variational")
    assert isinstance(caught.value, ValueError)
