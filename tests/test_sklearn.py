"""The estimator keeps scikit-learn's conventions, and is the detector underneath."""

import random
import re
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_fit2d_1feature,
    check_fit2d_1sample,
    parametrize_with_checks,
)

from aegmm_detect.configs.aegmm import FitConfig
from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.configs.nets import sizes_for
from aegmm_detect.exceptions import (
    ConfigurationError,
    InvalidInputError,
    NetTypeError,
    NotCalibratedError,
    ThresholdNotInferredError,
)
from aegmm_detect.numerics.features import eucl_cosim_features
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.sklearn import AEGMMEstimator

# Keras copies a net through the bytes of a saved one, and NumPy warns of how it reads the weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

# Smaller batches than any data here, so that fits to any number of rows share a program.
SHORT = {"ensemble": 1, "n_steps": 4, "batch_size": 8}
BRIEF = {**SHORT, "random_state": 0}


class Net:
    """A function of the width whose name has no address: names of tests are made of it."""

    def __init__(self, part):
        self.part = part

    def __call__(self, n_features):
        n_inputs, layer = {
            "encoder": (n_features, keras.layers.Dense(1)),
            "decoder": (1, keras.layers.Dense(n_features)),
            "density": (3, keras.layers.Dense(2, "softmax")),
        }[self.part]
        return keras.Sequential([keras.Input((n_inputs,)), layer])

    def __repr__(self):
        return self.part


# The checks fit rows of six widths, and each compiles anew: small nets do that in less time.
SMALL = {
    **{"encoder_net": Net("encoder"), "decoder_net": Net("decoder")},
    **{"gmm_density_net": Net("density"), "n_steps": 4, "batch_size": 8},
}


@parametrize_with_checks([AEGMMEstimator(**SMALL)])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", [check_fit2d_1feature, check_fit2d_1sample])
def test_checks_of_what_decides_on_the_nets_of_auto(check):
    check("AEGMMEstimator", AEGMMEstimator(**SHORT))


def nets(make_nets, seed=0):
    return {name: net for name, net in make_nets(seed=seed).items() if name != "n_gmm"}


def test_it_is_the_detector_underneath(normal_rows):
    recipe = OutlierAEGMM.auto(6).fit_config.replace(n_steps=4, batch_size=8)
    detector = OutlierAEGMM.auto(6, ensemble=1, seed=3, fit_config=recipe)
    detector.fit(normal_rows, verbose=0)
    threshold = detector.infer_threshold(normal_rows)
    estimator = AEGMMEstimator(**SHORT, random_state=3).fit(normal_rows)
    np.testing.assert_array_equal(
        estimator.score_samples(normal_rows), -detector.score(normal_rows)
    )
    assert estimator.offset_ == -float(np.float32(threshold))
    is_outlier = estimator.detector_.predict(normal_rows)["data"]["is_outlier"]
    np.testing.assert_array_equal(estimator.predict(normal_rows), 1 - 2 * is_outlier)
    assert set(estimator.history_) == {"loss", "recon", "energy", "cov_diag"}


def test_nets_of_ones_own_are_copied_with_their_weights_and_never_trained(make_nets, normal_rows):
    own, same = nets(make_nets), nets(make_nets)
    recipe = {"batch_size": 64, "w_energy": 0.2, "w_cov_diag": 0.01, "epochs": 2}
    before = {name: net.get_weights() for name, net in own.items()}
    estimator = AEGMMEstimator(**own, **recipe, normalize="standard", random_state=5)
    scores = estimator.fit(normal_rows).score_samples(normal_rows)
    for name, net in own.items():
        assert getattr(estimator, name) is net
        for now, then in zip(net.get_weights(), before[name], strict=True):
            np.testing.assert_array_equal(now, then)
    detector = OutlierAEGMM(**same, normalize="standard", seed=5)
    detector.fit(normal_rows, **recipe, verbose=0)
    np.testing.assert_array_equal(scores, -detector.score(normal_rows))
    again = clone(estimator).fit(normal_rows)
    np.testing.assert_array_equal(again.score_samples(normal_rows), scores)


def test_functions_of_the_width_return_nets_which_random_state_repeats(normal_rows):
    widths = []

    def density(n_features):
        widths.append(n_features)
        return keras.Sequential([keras.layers.Dense(2, "softmax")])

    estimator = AEGMMEstimator(
        **{**SMALL, "gmm_density_net": density},
        random_state=0,
    )
    random.seed(1)
    expected_draw = random.random()
    random.seed(1)
    first = estimator.fit(normal_rows).score_samples(normal_rows)
    # Keras draws seeds from Python's generator, which is the user's.
    assert random.random() == expected_draw
    np.testing.assert_array_equal(estimator.fit(normal_rows).score_samples(normal_rows), first)
    other = clone(estimator).set_params(random_state=1).fit(normal_rows)
    assert (other.score_samples(normal_rows) != first).any()
    assert estimator.fit(normal_rows[:, :4]).score_samples(normal_rows[:, :4]).shape == (600,)
    assert widths == [6, 6, 6, 4]


def test_the_recipe_takes_what_is_given(make_nets):
    density = DensityConfig(n_components=2, trim=0.1)
    estimator = AEGMMEstimator(
        **nets(make_nets), fit_config=FitConfig(n_steps=7, density=density), learning_rate=0.01
    )
    config = estimator._detector(6).fit_config
    assert config == FitConfig(n_steps=7, learning_rate=0.01, density=density)
    auto = OutlierAEGMM.auto(6, contamination=0.1).fit_config
    told = AEGMMEstimator(contamination=0.1, n_steps=50)._detector(6)
    assert told.fit_config == auto.replace(n_steps=50)
    assert told.blueprint.sizes == sizes_for(6)


def test_features_of_ones_own_go_with_the_nets_of_auto():
    told = {"recon_features": eucl_cosim_features, "ensemble": 2, "score_type": "both"}
    detector = AEGMMEstimator(**told)._detector(6)
    assert detector.score_type == "both"
    assert detector.blueprint.recon_features is eucl_cosim_features
    assert detector.blueprint.members == 2


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5])
def test_contamination_is_the_share_of_training_rows_called_outliers(normal_rows, share):
    estimator = AEGMMEstimator(**BRIEF, contamination=share)
    assert (estimator.fit_predict(normal_rows) == -1).sum() == share * len(normal_rows)
    assert float(np.float32(estimator.detector_.threshold)) == -estimator.offset_


def test_it_is_searched_in_a_pipeline(normal_rows):
    # As many rows as in other tests: the number of components goes with it.
    X = np.vstack([normal_rows[:540], normal_rows[540:] + 9.0])
    is_normal = np.repeat([1, -1], [540, 60])
    pipeline = make_pipeline(StandardScaler(), AEGMMEstimator(**BRIEF, normalize=None))
    search = GridSearchCV(
        pipeline,
        {"aegmmestimator__learning_rate": [1e-4, 1e-3]},
        scoring="roc_auc",
        cv=[(np.arange(0, 600, 2), np.arange(1, 600, 2))],
        error_score="raise",
    )
    search.fit(X, is_normal)
    best = search.best_estimator_[-1]
    assert best.learning_rate == best.detector_.fit_config.learning_rate in {1e-4, 1e-3}
    scaled = search.best_estimator_[0].transform(X)
    np.testing.assert_array_equal(
        search.decision_function(X), search.best_estimator_[-1].decision_function(scaled)
    )


def test_flagged_rows_are_outliers(normal_rows):
    X = np.vstack([normal_rows, normal_rows[:2]])
    X[3, 1], X[5, 2] = np.nan, np.inf
    estimator = AEGMMEstimator(**BRIEF, nan_policy="flag").fit(X)
    assert set(np.flatnonzero(np.isnan(estimator.decision_function(X)))) == {3, 5}
    assert (estimator.predict(X[[3, 5]]) == -1).all()
    with pytest.raises(ValueError, match="NaN"):
        AEGMMEstimator(**BRIEF).fit(X)


def test_columns_of_a_frame_are_kept_and_checked(normal_rows):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(normal_rows, columns=list("abcdef"))
    estimator = AEGMMEstimator(**BRIEF).fit(frame)
    assert list(estimator.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(frame[list("fedcba")])


@keras.saving.register_keras_serializable("test_sklearn")
class Unfinished(keras.Model):
    def __init__(self, width):
        super().__init__()
        self.width = width


def test_what_does_not_fit_is_refused_by_fit(make_nets, normal_rows):
    own = nets(make_nets)
    for settings, said in [
        ({"contamination": 0.0}, "contamination=0.0: pass 'auto', or a share"),
        ({"contamination": "many"}, "contamination='many'"),
        ({"contamination": None}, "contamination=None"),
        ({"epochs": 1, "n_steps": 1}, "not both"),
        ({"n_steps": 0}, "n_steps=0"),
        ({"normalize": "log"}, "normalize='log'"),
        ({"random_state": -1}, "seed=-1"),
        ({"score_type": "rank"}, "score_type='rank'"),
        ({**own, "ensemble": 2}, "ensemble= is for the nets that the package builds"),
        ({**own, "encoder_net": Unfinished(3)}, "encoder_net cannot be copied"),
    ]:
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            AEGMMEstimator(**settings).fit(normal_rows)
    with pytest.raises(NetTypeError, match="decoder_net is missing"):
        AEGMMEstimator(encoder_net=own["encoder_net"]).fit(normal_rows)


def test_random_state_may_be_a_generator():
    first, second = (
        AEGMMEstimator(random_state=np.random.RandomState(4))._detector(6) for _ in range(2)
    )
    assert first.config.seed == second.config.seed is not None
    assert AEGMMEstimator(random_state=7)._detector(6).config.seed == 7
    assert AEGMMEstimator()._detector(6).config.seed is None


def test_the_page_runs_as_written(normal_rows):
    """All of it, with shorter fits, but PyOD's part, which needs PyOD."""
    page = (Path(__file__).parents[1] / "docs" / "sklearn.rst").read_text(encoding="utf-8")
    brief = "n_steps=20, batch_size=32"
    page = page.replace("n_steps=200", brief)
    page = page.replace("(random_state=0)", f"(random_state=0, ensemble=1, {brief})")
    blocks = re.findall(
        r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)", page, flags=re.MULTILINE
    )
    assert [("pyod" in block) for block in blocks] == [False] * 4 + [True]
    shifted = normal_rows[100:120] + 9.0
    names = {
        "X_train": normal_rows[:100],
        "X_new": normal_rows[100:110],
        "X_held_out": normal_rows[110:400],
        "X_labelled": np.vstack([normal_rows[:100], shifted]),
        "y_labelled": np.repeat([1, -1], [100, 20]),
    }
    for block in blocks[:-1]:
        exec(compile(textwrap.dedent(block), "sklearn.rst", "exec"), names)
    assert names["search"].best_score_ > 0.9
    assert names["estimator"].detector_.blueprint is None
    assert set(names["pipeline"].predict(names["X_new"])) <= {1, -1}


def test_the_offset_follows_the_detector_underneath(normal_rows):
    estimator = AEGMMEstimator(**BRIEF).fit(normal_rows)
    detector = estimator.detector_
    detector.threshold = 1.5
    assert estimator.offset_ == -1.5
    want = np.where(detector.predict(normal_rows)["data"]["is_outlier"] == 1, -1, 1)
    np.testing.assert_array_equal(estimator.predict(normal_rows), want)
    detector.infer_threshold(normal_rows)
    detector.score_type = "both"
    with pytest.raises(ThresholdNotInferredError, match=r"detector_\.infer_threshold"):
        estimator.predict(normal_rows)


def test_p_values_are_those_of_the_calibrated_detector(normal_rows):
    estimator = AEGMMEstimator(**BRIEF, nan_policy="flag").fit(normal_rows[:300])
    with pytest.raises(NotCalibratedError, match=r"call calibrate\(X\)"):
        estimator.predict_p_values(normal_rows)
    held_out, new = normal_rows[300:500], normal_rows[500:].astype("float64")
    assert estimator.calibrate(held_out) is estimator
    new[0, 0] = np.nan
    got = estimator.predict_p_values(new)
    want = estimator.detector_.predict(new, return_p_value=True)["data"]["p_value"]
    np.testing.assert_array_equal(got, want)
    assert got.dtype == np.float64
    assert got[0] == got.min() == 1 / 201
    # As the more normal rows have the higher score, so they have the higher p-value.
    order = np.argsort(estimator.score_samples(new[1:]))
    assert (np.diff(got[1:][order]) >= 0).all()
    with pytest.raises(InvalidInputError, match="300 of 300 rows of X were trained on"):
        estimator.calibrate(normal_rows[:300])
    estimator.calibrate(normal_rows[:300], check_trained=False)
    with pytest.raises(NotCalibratedError):
        estimator.fit(normal_rows[:300]).predict_p_values(new)
    with pytest.raises(NotFittedError):
        AEGMMEstimator().calibrate(held_out)
    with pytest.raises(NotFittedError):
        AEGMMEstimator().predict_p_values(new)


def test_weights_of_rows_are_rejected(normal_rows):
    with pytest.raises(ConfigurationError, match="fit does not take sample_weight: every row"):
        AEGMMEstimator().fit(normal_rows, sample_weight=np.ones(len(normal_rows)))
    with pytest.raises(ConfigurationError, match="does not take epochs"):
        AEGMMEstimator().fit(normal_rows, epochs=3)
    # What passes a default on does no harm.
    AEGMMEstimator(**BRIEF).fit(normal_rows, sample_weight=None)
