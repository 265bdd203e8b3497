"""What alibi-detect keeps beside its nets is read in every form it comes in, or refused."""

import logging

import numpy as np
import pytest

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate import from_alibi_detect
from aegmm_detect.migrate.alibi_state import AlibiState, read_meta

MIXTURE = ("phi", "mu", "cov", "L", "log_det_cov")


def read(path):
    return AlibiState.read(path, skip_features=False)


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        (1.5, 1.5),
        (-2, -2.0),
        (np.float64(1.5), 1.5),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.array(1.5), 1.5),
        (np.array([1.5], dtype=">f4"), 1.5),
        (b"N", None),
    ],
)
def test_a_threshold_is_any_number_or_none(write_state, stored, meant):
    assert read(write_state(threshold=stored)).threshold == meant


@pytest.mark.parametrize(
    "stored", ["1.5", True, np.array([1.0, 2.0]), np.nan, -np.inf, 10**400, np.array("a"), {}]
)
def test_other_thresholds_are_refused(write_state, stored):
    with pytest.raises(MigrationError, match=r"threshold (holds|does not)"):
        read(write_state(threshold=stored))


@pytest.mark.parametrize("change", [np.asfortranarray, lambda a: a.astype(">f4"), np.float64])
@pytest.mark.parametrize("name", MIXTURE)
def test_arrays_may_have_any_order_and_float_type(write_state, expected, name, change):
    mixture = read(write_state(**{name: change(expected[name])})).mixture
    np.testing.assert_allclose(mixture.L, expected["L"], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(mixture.mu, expected["mu"])


def test_only_the_factor_decides_the_density(write_state, expected):
    """Energies come from `L`, so the mixture is that of `L`, jitter included."""
    mixture = read(write_state()).mixture
    for cov, L, W in zip(mixture.cov, expected["L"].astype(float), mixture.W, strict=True):
        np.testing.assert_allclose(cov, L @ L.T, rtol=1e-12)
        np.testing.assert_allclose(W @ L, np.eye(len(L)), atol=1e-9)


@pytest.mark.parametrize("name", ["cov", "L", "log_det_cov", "phi"])
def test_arrays_that_contradict_each_other_are_refused(write_state, expected, name):
    spoilt = expected[name].copy()
    spoilt.flat[0] *= 1.5
    with pytest.raises(MigrationError, match="contradict each other"):
        read(write_state(**{name: spoilt}))


@pytest.mark.parametrize("scale", [-1.0, 0.0, 1e200])
def test_factors_that_are_none_are_refused(write_state, expected, scale):
    with pytest.raises(MigrationError, match="contradict each other"):
        read(write_state(L=scale * expected["L"].astype(float)))


@pytest.mark.parametrize("name", MIXTURE)
def test_a_fit_that_ended_in_nan_is_named(write_state, expected, name):
    spoilt = expected[name].copy()
    spoilt.flat[-1] = np.nan
    with pytest.raises(MigrationError, match=r"NaN or infinity\. Some fits in alibi-detect"):
        read(write_state(**{name: spoilt, "threshold": float("nan")}))


@pytest.mark.parametrize("name", MIXTURE)
def test_shapes_that_do_not_fit_are_refused(write_state, expected, name):
    with pytest.raises(MigrationError, match="shapes"):
        read(write_state(**{name: expected[name][:1]}))


@pytest.mark.parametrize("stored", [[1.0], "phi", 3, np.array(["a"]), np.ones(2, bool)])
def test_what_is_no_array_of_numbers_is_refused(write_state, stored):
    with pytest.raises(MigrationError, match=r"^OutlierAEGMM\.dill(: phi holds| refers to)"):
        read(write_state(phi=stored))


def test_a_detector_that_was_never_fitted_is_named(write_state):
    with pytest.raises(MigrationError, match="saved before fit"):
        read(write_state(**dict.fromkeys(MIXTURE, b"N")))


def test_missing_and_unknown_values_are_refused(write_state):
    with pytest.raises(MigrationError, match="holds"):
        read(write_state(L=None))
    with pytest.raises(MigrationError, match="holds"):
        read(write_state(samples=10))


@pytest.mark.parametrize("content", [[], 1.5, {"name": 3}, {3: "name"}, {"data_type": None}, {}])
def test_metas_without_a_name_are_refused(tmp_path, program, content):
    path = tmp_path / "meta.dill"
    path.write_bytes(b"\x80\x03" + program(content) + b".")
    with pytest.raises(MigrationError, match=r"^meta\.dill (holds no|does not name)"):
        read_meta(path)


def test_bytes_behind_the_end_are_refused(write_state):
    path = write_state()
    path.write_bytes(path.read_bytes() + b"N.")
    with pytest.raises(MigrationError, match="2 bytes after its end"):
        read(path)


def test_the_mixture_decides_how_many_components_there_are(write_state, caplog):
    path = write_state(n_gmm=5)
    with caplog.at_level(logging.WARNING):
        detector = from_alibi_detect(path.parent)
    assert "says n_gmm=5, but its mixture has 2 components" in caplog.text
    assert detector.config.n_gmm == 2


def test_without_a_threshold_there_is_none(write_state, caplog):
    with caplog.at_level(logging.WARNING):
        detector = from_alibi_detect(write_state(threshold=b"N").parent)
    assert detector.threshold is None
    assert "No threshold is set" in caplog.text


def test_a_mixture_of_another_width_does_not_fit(write_state, expected):
    parts = {"mu": expected["mu"][:, :3], "cov": expected["cov"][:, :3, :3]}
    L = expected["L"][:, :3, :3]
    log_det = 2.0 * np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
    path = write_state(**parts, L=L, log_det_cov=log_det)
    with pytest.raises(MigrationError, match=r"gmm_density_net takes 4 inputs, .* over 3"):
        from_alibi_detect(path.parent)
