import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import roc_auc_score

from aegmm_detect.datasets import make_blobs_with_outliers, make_images
from aegmm_detect.exceptions import ConfigurationError


@pytest.mark.parametrize("seed", [*range(20), 123])
def test_planted_outliers_are_far_from_all_blobs_but_inside_every_columns_range(seed):
    X, outliers = make_blobs_with_outliers(seed)
    blobs, _, centers = make_blobs(
        1000, 5, centers=5, center_box=(-10, 10), random_state=seed, return_centers=True
    )
    assert outliers.tolist() == [300, 500]
    np.testing.assert_array_equal(np.delete(X, outliers, 0), np.delete(blobs, outliers, 0))
    assert np.linalg.norm(X[outliers][:, None] - centers, axis=-1).min() > 10
    assert np.linalg.norm(X[300] - X[500]) > 10
    assert (X[outliers] >= blobs.min(axis=0)).all()
    assert (X[outliers] <= blobs.max(axis=0)).all()


def test_images_have_the_shape_range_and_labels_that_were_asked_for():
    X, y = make_images(50, anomaly_rate=0.1)
    assert X.shape == (50, 28, 28, 1)
    assert X.dtype == np.float32
    assert X.min() >= 0
    assert X.max() <= 1
    assert y.sum() == 5
    assert not make_images(50)[1].any()


def test_striped_images_differ_in_texture_and_not_in_brightness():
    X, y = make_images(600, seed=1, anomaly_rate=0.5)
    mean, peak = X.mean(axis=(1, 2, 3)), X.max(axis=(1, 2, 3))
    steps = sum(np.abs(np.diff(X, axis=axis)).mean(axis=(1, 2, 3)) for axis in (1, 2))
    assert 0.3 < roc_auc_score(y, mean) < 0.7
    assert 0.3 < roc_auc_score(y, peak) < 0.7
    assert roc_auc_score(y, steps / mean) > 0.99


@pytest.mark.parametrize("make", [make_blobs_with_outliers, lambda seed: make_images(20, seed)])
def test_seeds_repeat_and_differ(make):
    first, again, other = make(seed=1), make(seed=1), make(seed=2)
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan")])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(ConfigurationError, match="anomaly_rate"):
        make_images(10, anomaly_rate=rate)
