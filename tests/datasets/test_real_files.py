"""Published counts, on the files of the folder that AEGMM_DATA_HOME names; skipped without them."""

import functools

import numpy as np
import pytest

from aegmm_detect import datasets
from aegmm_detect.evaluation import distinct_rows

KDD99 = ["kddcup.data_10_percent.gz"]
NSL_TRAIN = ["KDDTrain+.txt", "nslkdd_train.txt.gz"]
NSL_TEST = ["KDDTest+.txt", "nslkdd_test.txt.gz"]


@pytest.fixture(scope="module")
def load():
    """`datasets.load`, which keeps the last data set for the next test that only reads it."""
    return functools.lru_cache(maxsize=1)(datasets.load)


@pytest.mark.parametrize(
    ("name", "options", "files", "shape", "anomalies", "kinds"),
    [
        ("arrhythmia", {}, ["arrhythmia.npz", "arrhythmia.mat"], (452, 274), 66, 0),
        ("kdd99", {}, KDD99, (494_021, 121), 97_278, 23),
        ("kdd99-18", {}, KDD99, (494_021, 18), 396_743, 23),
        ("nsl-kdd", {"part": "train"}, NSL_TRAIN, (125_973, 122), 58_630, 23),
        ("nsl-kdd", {"part": "test"}, NSL_TEST, (22_544, 122), 12_833, 38),
        # One row has the overflown rates that its description tells of.
        ("ids2018", {"sample": "raw"}, ["cicids2018_rawheader_1000.csv.gz"], (999, 77), 279, 11),
        (
            "ids2018",
            {"sample": "twodays"},
            ["cicids2018_twodays_12053.csv.gz"],
            (12_053, 77),
            6_053,
            4,
        ),
    ],
)
def test_counts_are_the_published_ones(
    real_file, load, name, options, files, shape, anomalies, kinds
):
    real_file(*files)
    data = load(name, **options)
    assert data.X.shape == shape
    assert data.y.sum() == anomalies
    assert np.isfinite(data.X).all()
    assert kinds == (0 if data.kinds is None else len(np.unique(data.kinds)))


def test_kdd99_attacks_are_the_published_ones(real_file, load):
    real_file(*KDD99)
    whole, rev = load("kdd99"), datasets.load("kdd99-rev", seed=5)
    count = dict(zip(*np.unique(whole.kinds, return_counts=True), strict=True))
    assert (count["smurf"], count["neptune"], count["normal"]) == (280_790, 107_201, 97_278)
    names = np.array(whole.feature_names)
    constant = set(names[np.ptp(whole.X, axis=0) == 0])
    assert constant == {"num_outbound_cmds", "is_host_login_0"}
    assert rev.X.shape == (121_597, 121)
    assert rev.y.sum() == 24_319
    assert (rev.kinds == "normal").sum() == 97_278


def test_the_sample_of_kdd99_is_drawn_as_its_description_says(real_file, load):
    """Row by row and bit by bit, by the drawing in datasets/data/README.md."""
    real_file(*KDD99)
    full, sample = load("kdd99-18"), datasets.load("kdd99-sample")
    distinct = full.subset(distinct_rows(full.X, full.y))
    np.testing.assert_array_equal(np.bincount(distinct.y), [55_667, 20_628])
    assert len(np.unique(full.X, axis=0)) - len(distinct.X) == 141
    rng = np.random.default_rng(0)
    normal = rng.choice(np.flatnonzero(distinct.y == 0), 20_000, replace=False)
    attacks = rng.choice(np.flatnonzero(distinct.y == 1), 2_000, replace=False)
    drawn = distinct.subset(np.sort(np.concatenate([normal, attacks])))
    assert sample.feature_names == drawn.feature_names
    for field in ("X", "y", "kinds"):
        np.testing.assert_array_equal(getattr(sample, field), getattr(drawn, field))


def test_nsl_kdd_has_17_types_of_attack_that_training_lacks(real_file, load):
    real_file(*NSL_TRAIN)
    real_file(*NSL_TEST)
    train, test = (load("nsl-kdd", part=part) for part in ("train", "test"))
    new = ~np.isin(test.kinds, train.kinds)
    assert len(np.unique(test.kinds[new])) == 17
    assert new.sum() == 3_750
