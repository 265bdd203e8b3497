"""Recent scores beside those of calibration."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from aegmm_detect.calibration import Calibration
from aegmm_detect.drift import drift_report
from aegmm_detect.exceptions import InvalidInputError, NotCalibratedError


def draws(n, seed, shift=0.0):
    return np.random.default_rng(seed).gumbel(shift, size=n)


def test_it_is_scipys_test():
    known, recent = draws(300, 0), draws(120, 1, 0.3)
    report, want = drift_report(Calibration(known), recent), stats.ks_2samp(recent, known)
    assert (report.statistic, report.p_value) == (want.statistic, want.pvalue)
    assert (report.n_recent, report.n_calibration) == (120, 300)


def test_without_drift_p_values_are_uniform():
    found = [
        drift_report(Calibration(draws(200, s)), draws(150, 10_000 + s)).p_value for s in range(300)
    ]
    assert stats.kstest(found, "uniform").pvalue > 1e-3


def test_the_slower_the_shift_the_later_it_is_found():
    known = Calibration(draws(500, 0))
    reports = [drift_report(known, draws(200, 1, shift)) for shift in (0.0, 0.3, 0.6, 1.2)]
    p_values = [report.p_value for report in reports]
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[0] > 0.01 > p_values[-1]
    shifts = [report.median_shift for report in reports]
    assert shifts == sorted(shifts)
    # Translation by an interquartile range shifts the median by just one.
    lower, upper = np.percentile(known.scores, [25, 75])
    assert drift_report(known, known.scores + upper - lower).median_shift == pytest.approx(1.0)


def test_units_of_the_scores_do_not_matter_and_nan_does_not_count():
    known, recent = draws(100, 0), draws(80, 1, 0.5)
    want = drift_report(Calibration(known), recent)
    got = drift_report(Calibration(7.0 * known - 3.0), 7.0 * np.append(recent, np.nan) - 3.0)
    assert got.p_value == want.p_value
    assert got.median_shift == pytest.approx(want.median_shift)
    assert got.n_recent == 80
    with pytest.raises(InvalidInputError, match="no usable rows"):
        drift_report(Calibration(known), np.full(3, np.nan))


def test_scores_that_are_all_alike_are_compared_too():
    same = drift_report(Calibration(np.ones(20)), np.ones(10))
    other = drift_report(Calibration(np.ones(20)), np.full(10, 2.0))
    assert (same.statistic, same.median_shift) == (0.0, 0.0)
    assert other.statistic == 1.0
    assert other.median_shift == 1.0  # in units of the scores: there is no range


def test_a_detector_reports_on_its_scores(fitted, normal_rows):
    import copy

    detector = copy.deepcopy(fitted)
    with pytest.raises(NotCalibratedError, match="a drift report"):
        detector.drift_report(normal_rows)
    calibration = detector.calibrate(normal_rows[:300], check_trained=False)
    report = detector.drift_report(normal_rows[300:] * 1.5)
    want = drift_report(calibration, detector.score(normal_rows[300:] * 1.5))
    assert dataclasses.asdict(report) == dataclasses.asdict(want)
    assert report.p_value < detector.drift_report(normal_rows[300:]).p_value
