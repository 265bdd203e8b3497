"""The one list of detectors."""

import pytest

import aegmm_detect.od
from aegmm_detect.detector.base import Detector
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.registry import get_detector
from tests.own_detectors import OWN


@pytest.mark.parametrize("name", OWN)
def test_every_name_is_a_detector_under_its_own_name(name):
    detector = get_detector(name)
    assert issubclass(detector, Detector)
    assert detector.__name__ == name
    assert getattr(aegmm_detect.od, name) is detector


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match="OutlierAEGMM"):
        get_detector("OutlierVAE")
