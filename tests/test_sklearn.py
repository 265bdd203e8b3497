"""The estimator keeps scikit-learn's conventions, and is the detector underneath."""

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.exceptions import ConfigurationError, NetTypeError
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.sklearn import AEGMMEstimator

BRIEF = {"ensemble": 1, "n_steps": 4, "random_state": 0}

# Detectors cannot be pickled yet.
EXPECTED = {
    "check_estimators_pickle": "a fitted detector cannot be pickled yet",
}


@parametrize_with_checks(
    [AEGMMEstimator(ensemble=1, n_steps=8)], expected_failed_checks=lambda estimator: EXPECTED
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)
