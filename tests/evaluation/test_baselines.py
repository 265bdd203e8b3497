"""Laws of every baseline, and what each of them computes."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import RobustScaler, StandardScaler

from aegmm_detect.evaluation import BASELINES, auto, baselines
from aegmm_detect.evaluation.contenders import untrained
from aegmm_detect.exceptions import ConfigurationError

N_FEATURES = 5
RNG = np.random.default_rng(3)
MIX = RNG.normal(size=(N_FEATURES, N_FEATURES))
TRAIN = RNG.normal(size=(400, N_FEATURES)) @ MIX + 50.0
NORMAL = RNG.normal(size=(150, N_FEATURES)) @ MIX + 50.0
STRANGE = RNG.normal(size=(50, N_FEATURES)) * 8.0 + 50.0
TEST, Y = np.concatenate([NORMAL, STRANGE]), np.repeat([0, 1], [150, 50])

SIMPLE = sorted(set(BASELINES) - {"untrained"})
SEEDLESS = ["1-nn", "mahalanobis", "robust-l1"]


@pytest.fixture(scope="module", params=sorted(BASELINES))
def fitted(request):
    model = BASELINES[request.param](N_FEATURES, 0)
    before = TRAIN.copy()
    model.fit(TRAIN)
    np.testing.assert_array_equal(TRAIN, before)
    return request.param, model


def test_scores_are_finite_one_per_row_and_beat_chance(fitted):
    scores = fitted[1].score(TEST)
    assert scores.shape == (200,)
    assert np.isfinite(scores).all()
    assert roc_auc_score(Y, scores) > 0.8


def test_scores_do_not_depend_on_the_order_of_rows(fitted):
    order = np.random.default_rng(0).permutation(len(TEST))
    scores = fitted[1].score(TEST)
    np.testing.assert_allclose(fitted[1].score(TEST[order]), scores[order], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fitted[1].score(TEST[:1]), scores[:1], rtol=1e-6, atol=1e-9)


def test_the_same_seed_gives_the_same_scores(fitted):
    name, model = fitted
    again = BASELINES[name](N_FEATURES, 0)
    again.fit(TRAIN)
    np.testing.assert_array_equal(again.score(TEST), model.score(TEST))


def test_the_record_of_settings_names_no_seed(fitted):
    name, model = fitted
    assert model.describe() == BASELINES[name](N_FEATURES, 1).describe()


@pytest.mark.parametrize("name", SEEDLESS)
def test_the_order_of_training_rows_does_not_matter(name):
    one, other = (BASELINES[name](N_FEATURES, 0) for _ in range(2))
    one.fit(TRAIN)
    other.fit(np.random.default_rng(0).permutation(TRAIN))
    np.testing.assert_allclose(one.score(TEST), other.score(TEST), rtol=1e-6)


@pytest.mark.parametrize("name", SIMPLE)
def test_constant_columns_few_rows_and_repeats_are_no_obstacle(name):
    rng = np.random.default_rng(0)
    wide = np.column_stack([rng.normal(size=(20, 30)), np.ones(20), np.zeros(20)])
    model = BASELINES[name](32, 0)
    model.fit(np.concatenate([wide, wide[:5]]).astype(np.float32))
    assert np.isfinite(model.score(wide + 1.0)).all()


@pytest.mark.parametrize("name", SIMPLE)
def test_one_column_is_enough(name):
    model = BASELINES[name](1, 0)
    model.fit(TRAIN[:, :1])
    assert model.score(np.array([[1000.0]])) > model.score(TRAIN[:1, :1])


def test_the_nearest_neighbour_is_the_nearest():
    model = baselines.NearestNeighbour(seed=0)
    model.fit(np.concatenate([TRAIN, TRAIN[:100]]))
    scaler = StandardScaler().fit(np.concatenate([TRAIN, TRAIN[:100]]))
    want = cdist(scaler.transform(TEST), scaler.transform(TRAIN)).min(axis=1)
    np.testing.assert_allclose(model.score(TEST), want)


def test_the_nearest_neighbour_keeps_no_more_rows_than_it_may():
    model = baselines.NearestNeighbour(seed=0, max_rows=100)
    model.fit(TRAIN)
    assert np.sum(model.score(TRAIN) < 1e-9) == 100


def test_the_robust_norm_is_clipped_and_leaves_flat_columns_in_their_units():
    rows = np.column_stack([np.arange(101.0), np.ones(101)])
    model = baselines.RobustNorm()
    model.fit(rows)
    scaled = RobustScaler().fit_transform(rows[:, :1])[-1, 0]
    np.testing.assert_allclose(model.score([[100.0, 4.0], [1e9, 1e9]]), [(scaled + 3) / 2, 50.0])


def test_the_untrained_nets_keep_their_weights():
    model = untrained(N_FEATURES, 4)
    before = [w.copy() for w in model.detector.net.get_weights()]
    model.fit(TRAIN)
    after = model.detector.net.get_weights()
    assert len(after) == len(before) > 0
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_contender_of_the_registry_is_made_from_width_and_seed_alone():
    model = auto("OutlierAEGMM")(N_FEATURES, 7)
    assert model.detector.config.seed == 7
    assert model.describe()["class"] == "OutlierAEGMM"
    with pytest.raises(ConfigurationError, match="No detector is called 'Nothing'"):
        auto("Nothing")
