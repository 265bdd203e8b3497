"""Laws of the detector with self-organising maps."""

import keras
import numpy as np
import pytest

from aegmm_detect.configs.maps import MapTraining
from aegmm_detect.exceptions import CheckpointError, ConfigurationError
from aegmm_detect.numerics.som_training import default_side
from aegmm_detect.od import OutlierSOMAEGMM
from aegmm_detect.saving import load_detector, save_detector

QUICK = {"epochs": 2, "verbose": 0, "seed": 1, "jit_compile": False}


def make(**settings):
    settings = {"threshold": 0.0, "normalize": "standard", **settings}
    return OutlierSOMAEGMM.from_sizes(6, [8, 1], [4, 2], **settings)


@pytest.fixture(scope="module")
def detector(normal_rows):
    detector = make()
    detector.fit(normal_rows, **QUICK)
    return detector


def latent(detector, rows):
    return keras.ops.convert_to_numpy(detector.net(detector.state.prepared(rows))[1])


def test_z_ends_in_the_winners_of_several_different_maps(detector, normal_rows):
    z = latent(detector, normal_rows)
    assert z.shape == (len(normal_rows), 1 + 2 + 4)
    places = z[:, 3:]
    assert places.min() >= 0.0
    assert places.max() <= 1.0
    side = default_side(len(normal_rows))
    np.testing.assert_allclose(places * (side - 1), np.round(places * (side - 1)), atol=1e-5)
    assert not np.array_equal(places[:, :2], places[:, 2:])


def places(detector, rows):
    return latent(detector, rows)[:, 3:]


def test_maps_stay_as_they_are_while_the_nets_train(detector, normal_rows):
    longer = make()
    longer.fit(normal_rows, **{**QUICK, "epochs": 5})
    np.testing.assert_array_equal(places(longer, normal_rows), places(detector, normal_rows))


def test_maps_are_of_the_rows_that_are_fitted(detector, normal_rows):
    other = make()
    other.fit(np.random.default_rng(1).permuted(normal_rows, axis=0), **QUICK)
    assert not np.array_equal(places(other, normal_rows), places(detector, normal_rows))


def test_the_same_call_goes_on_from_its_file(normal_rows, tmp_path):
    detector = make()
    detector.fit(normal_rows, **QUICK, checkpoint_dir=tmp_path)
    want = detector.score(normal_rows)
    detector.fit(normal_rows, **QUICK, checkpoint_dir=tmp_path)
    np.testing.assert_array_equal(detector.score(normal_rows), want)
    other = make(side=3)
    with pytest.raises(CheckpointError, match="side"):
        other.fit(normal_rows, **QUICK, checkpoint_dir=tmp_path)


def test_a_second_fit_of_more_rows_has_larger_maps(normal_rows, tmp_path):
    detector = make()
    detector.fit(normal_rows[:50], **QUICK)
    few = detector.net.context.count_params()
    detector.fit(normal_rows, **QUICK)
    assert detector.net.context.count_params() > few
    save_detector(detector, tmp_path / "som.aegmm")
    other = load_detector(tmp_path / "som.aegmm")
    np.testing.assert_array_equal(other.score(normal_rows), detector.score(normal_rows))
    other.fit(normal_rows[:50], **QUICK)
    assert other.net.context.count_params() == few


def test_own_nets_take_the_places_too(make_nets, normal_rows):
    detector = OutlierSOMAEGMM(0.0, **make_nets(n_recon=2 + 2), n_maps=1, side=3)
    detector.fit(normal_rows, **QUICK)
    assert latent(detector, normal_rows).shape[1] == 1 + 2 + 2


def test_a_density_net_that_is_too_narrow_is_told(make_nets):
    with pytest.raises(ConfigurationError, match=r"z has 7: 1 from encoder_net, 2 from .*context"):
        OutlierSOMAEGMM(0.0, **make_nets())
    with pytest.raises(ConfigurationError, match="side=1"):
        OutlierSOMAEGMM.auto(6, side=1)


def test_maps_are_trained_as_they_are_told_and_a_file_keeps_it(detector, normal_rows, tmp_path):
    told = MapTraining(n_steps=50, neighbourhood="gaussian", init="linear")
    usual, other = make(map_training=MapTraining()), make(map_training=told)
    for each in (usual, other):
        each.fit(normal_rows, **QUICK)
    untold = places(detector, normal_rows)
    np.testing.assert_array_equal(places(usual, normal_rows), untold)
    assert not np.array_equal(places(other, normal_rows), untold)
    save_detector(other, tmp_path / "som.aegmm")
    assert load_detector(tmp_path / "som.aegmm").config.map_training == told


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"n_steps": 0}, "map_training.n_steps=0: "),
        ({"init": "middle"}, "map_training.init='middle': "),
        ("fast", "map_training='fast': "),
    ],
)
def test_a_training_that_does_not_fit_is_refused_with_its_name(wrong, said):
    with pytest.raises(ConfigurationError, match=said):
        OutlierSOMAEGMM.from_sizes(6, [8, 1], [4, 2], threshold=0.0, map_training=wrong)
