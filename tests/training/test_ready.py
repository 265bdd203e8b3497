"""What is checked before the first step of a fit."""

import pytest

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.od import OutlierAEGMM


@pytest.mark.parametrize("wrong", ["loud", -1, 2.5, None])
def test_a_verbosity_that_keras_does_not_know_is_refused(make_nets, normal_rows, wrong):
    detector = OutlierAEGMM(threshold=0.0, **make_nets())
    with pytest.raises(ConfigurationError, match=r"verbose=.*'auto'"):
        detector.fit(normal_rows, epochs=1, verbose=wrong)


def test_what_epochs_replace_is_told_of_a_fit_that_runs(normal_rows, caplog):
    detector = OutlierAEGMM.auto(6, ensemble=1, threshold=0.0)
    with pytest.raises(ConfigurationError, match="epochs=0"):
        detector.fit(normal_rows, epochs=0)
    assert "takes the place" not in caplog.text
