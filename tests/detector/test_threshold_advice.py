"""Errors of `infer_threshold` say what its user can do; those of the pure functions say facts."""

import numpy as np
import pytest

from aegmm_detect.detector.threshold_methods import DEFAULT_PERCENTAGE, choose
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError

SCORES = np.random.default_rng(0).normal(size=400)
LONG = np.random.default_rng(0).normal(size=1000)
HEAVY = np.exp(np.exp(np.random.default_rng(0).uniform(0, 4.4, size=1000)))
WANTS_HUNDREDS = "400 rows are too few for fpr=0.001: at least 999 are needed."


@pytest.mark.parametrize(
    ("method", "arguments", "scores", "said"),
    [
        ("fpr", {"fpr": 1e-3}, SCORES, rf"{WANTS_HUNDREDS} .*a higher rate, or method='pot'"),
        ("pot", {"fpr": 1e-3}, SCORES, r"500 rows .* scores\. .* choose another method\.$"),
        ("pot", {"fpr": 1e-9}, HEAVY, r"so heavy .* Pass more inliers, or choose another"),
        ("pot", {"fpr": 0.2}, LONG, r"fpr=0.2 is not in the tail .* 0\.1\. method='fpr' needs no"),
        ("mad", {}, np.ones(5), r"is 0\. Pass more different rows, or choose another method\.$"),
        ("fbeta", {"y": np.repeat([1, -1], 200)}, SCORES, r"pass \(y == -1\)\.astype\(int\)\.$"),
        ("youden", {"y": np.repeat([1, -1], 200)}, SCORES, r"pass \(y == -1\)\.astype\(int\)\.$"),
        ("youden", {"y": np.ones(400)}, SCORES, r"both are needed\.$"),
        ("youden", {"y": np.repeat([0, -1], 200)}, SCORES, r"both are needed\.$"),
        ("inliers", {"y": np.ones(400), "fpr": 0.1}, SCORES, r"no y: method='fpr'\.$"),
        ("inliers", {"y": np.zeros(400), "fpr": 1e-3}, SCORES, rf"{WANTS_HUNDREDS} .*a higher"),
        ("pu", {"y": np.repeat([0, 1, -1], [100, 100, 200])}, SCORES, "Use method='fbeta' or"),
        ("pu", {"y": np.zeros(400)}, SCORES, r"at least 20 are needed\.$"),
    ],
)
def test_an_error_says_what_to_do(method, arguments, scores, said):
    inference = choose(method, DEFAULT_PERCENTAGE, **arguments)
    kind = ConfigurationError if arguments.get("fpr") == 0.2 else InvalidInputError
    with pytest.raises(kind, match=said) as caught:
        inference.threshold(scores)
    assert type(caught.value) is type(caught.value.__cause__) is kind


def test_arguments_have_the_names_of_infer_threshold():
    with pytest.raises(ConfigurationError, match=r"^threshold_perc=101: pass a number from 0"):
        choose("percentile", 101)
    with pytest.raises(ConfigurationError, match=r"^contamination=2: pass a number between 0"):
        choose("contamination", DEFAULT_PERCENTAGE, contamination=2)
