"""What the comparison after an export finds."""

import numpy as np
import pytest

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.export import check
from aegmm_detect.nets.normalizer import Normalizer

THRESHOLD = 1.5


def reference(rows):
    """Squared distances, NaN for rows that are not finite in float32."""
    with np.errstate(over="ignore"):
        rows = rows.astype(np.float32)
        finite = np.isfinite(rows).all(axis=1)
        return np.where(finite, np.square(rows).sum(axis=1), np.nan).astype(np.float32)


def good(rows):
    scores = reference(rows)
    return scores, (~(scores <= np.float32(THRESHOLD))).astype(np.int64)


def rows_to_compare():
    return check.with_non_finite(check.made_up_rows(None, (3,)))


def test_equal_scores_have_no_difference():
    assert check.compare(good, reference, THRESHOLD, rows_to_compare()) == 0.0


def test_the_difference_is_relative_to_scores_above_one():
    def run(rows):
        scores = reference(rows) * np.float32(1.0 + 5e-4)
        return scores, (~(scores <= np.float32(THRESHOLD))).astype(np.int64)

    assert check.compare(run, reference, THRESHOLD, rows_to_compare()) == pytest.approx(
        5e-4, rel=1e-2
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda s, o: (s + np.float32(0.01) * abs(s), o), "differ from the detector's by up to"),
        (lambda s, o: (np.nan_to_num(s), o), "does not tell finite rows"),
        (lambda s, o: (np.where(s > 2, np.nan, s), o), "does not tell finite rows"),
        (lambda s, o: (s, (s > THRESHOLD).astype(np.int64)), "do not follow from its scores"),
        (lambda s, o: (s, 1 - o), "do not follow from its scores"),
        (lambda s, o: (s[:, None], o), "scores of"),
    ],
)
def test_anything_else_is_refused(wrong, message):
    with pytest.raises(ArtefactError, match=message):
        check.compare(lambda rows: wrong(*good(rows)), reference, THRESHOLD, rows_to_compare())


def test_a_row_at_the_threshold_is_found_and_must_be_an_inlier():
    rows = check.made_up_rows(None, (3,))
    assert check.check_at_threshold(good, THRESHOLD, rows) > 0

    def greater_or_equal(rows):
        scores = reference(rows)
        return scores, (~(scores < np.float32(THRESHOLD))).astype(np.int64)

    # No row that was made up is at the threshold: only the search tells.
    check.compare(greater_or_equal, reference, THRESHOLD, check.with_non_finite(rows))
    with pytest.raises(ArtefactError, match="do not follow from its scores"):
        check.check_at_threshold(greater_or_equal, THRESHOLD, rows)


@pytest.mark.parametrize("threshold", [-1.0, np.inf, -np.inf])
def test_no_row_is_at_a_threshold_outside_the_scores(threshold):
    def run(rows):
        scores = reference(rows)
        return scores, (~(scores <= threshold)).astype(np.int64)

    assert check.check_at_threshold(run, threshold, check.made_up_rows(None, (3,))) == 0


def test_made_up_rows_lie_where_the_scaling_says():
    offset, scale = np.array([1e6, -5.0]), np.array([10.0, 1e-3])
    rows = check.made_up_rows(Normalizer(offset, scale), (2,))
    near = (rows[:192] - offset) / scale
    np.testing.assert_allclose(near.mean(axis=0), 0.0, atol=0.3)
    np.testing.assert_allclose(near.std(axis=0), 1.0, atol=0.3)
    assert (rows[-1] == 0.0).all()


def test_rows_of_any_shape_get_what_is_not_finite():
    rows = check.with_non_finite(np.zeros((2, 3, 4), dtype=np.float32))
    assert rows.shape == (6, 3, 4)
    assert np.isfinite(rows[:2]).all()
    assert np.isnan(reference(rows.reshape(6, -1))[2:]).all()
