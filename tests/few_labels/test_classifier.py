"""A classifier that starts from a pre-trained encoder."""

import copy
import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

import aegmm_detect.few_labels
from aegmm_detect.exceptions import (
    ConfigurationError,
    InvalidInputError,
    NetTypeError,
    NonFiniteLossError,
    NotFittedError,
)
from aegmm_detect.few_labels import FewLabelClassifier, fit_autoencoder
from aegmm_detect.few_labels.rows import held_out
from aegmm_detect.od import OutlierAEGMM, OutlierVAEGMM, OutlierVQAEGMM
from aegmm_detect.programs.cache import PROGRAMS

# Keras copies a net through the bytes of a saved one, and NumPy warns of how it reads the weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

BRIEF = {"epochs": 2, "frozen_epochs": 2, "patience": None, "validation_split": 0.0, "seed": 0}
# Detectors whose encoder may be any.
ONCE = {"epochs": 1, "batch_size": 100, "verbose": 0}
# One setting without dropout and penalty, so that tests that need none of it share programs.
BARE = {**BRIEF, "dropout": 0.0, "l2": 0.0}
NAMES = np.array(["cold", "mild", "warm"])


@pytest.fixture(scope="module")
def rows():
    """300 rows of 6 features in three classes, with their names."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(3), 100)
    X = rng.normal(size=(300, 6)) + 3.0 * rng.normal(size=(3, 6))[classes]
    order = rng.permutation(300)
    return (100.0 + 5.0 * X)[order], NAMES[classes[order]]


@pytest.fixture(scope="module")
def detector(rows):
    """Fitted to the rows without their names; tests must leave it as it is."""
    detector = OutlierAEGMM.from_sizes(
        6, [8, 3], [4, 2], threshold=0.0, normalize="standard", seed=0
    )
    detector.fit(rows[0], **ONCE)
    return detector


@pytest.fixture(scope="module")
def classifier(detector, rows):
    """Fitted; tests must leave it as it is."""
    classifier = FewLabelClassifier.from_detector(detector, **BRIEF)
    classifier.fit(*rows, verbose=0)
    return classifier


@pytest.fixture(scope="module")
def standardised(rows):
    """Fitted with a fresh encoder and no detector; tests must leave it as it is."""
    classifier = FewLabelClassifier(hiddens=(8, 3), activation="tanh", **BRIEF)
    classifier.fit(*rows, verbose=0)
    return classifier


@pytest.mark.parametrize("cls", [OutlierVAEGMM, OutlierVQAEGMM])
def test_codes_of_other_kinds_are_what_the_softmax_sees(cls, rows):
    if cls is OutlierVQAEGMM:
        detector = cls.from_sizes(6, [8, 3], [4, 2], threshold=0.0, seed=0, n_codes=4)
        detector.fit(rows[0], **ONCE)
    else:
        net = cls.from_sizes(6, [8, 3], [4, 2]).net
        # In place of training: as learned weights are, no bias is 0.
        rng = np.random.default_rng(0)
        net.set_weights([rng.normal(0.0, 0.1, weight.shape) for weight in net.get_weights()])
        detector = cls(0.0, vaegmm=net, samples=0)
        detector.fit(rows[0], epochs=0, verbose=0)
    never = BARE | {"epochs": 1, "frozen_epochs": 0, "learning_rate": 1e-12}
    classifier = FewLabelClassifier.from_detector(detector, **never)
    classifier.fit(*rows, verbose=0)
    codes = keras.Sequential([keras.Input((6,)), *classifier.net.layers[:-1]])(rows[0])
    hidden = detector.net.encoder(rows[0])
    want = hidden if cls is OutlierVQAEGMM else detector.net.code.mean(hidden)
    assert codes.shape == (300, 3)
    np.testing.assert_allclose(codes, want, rtol=1e-4, atol=1e-4)


def test_callbacks_that_are_of_another_kind_are_rejected(detector, rows):
    classifier = FewLabelClassifier.from_detector(detector, **BRIEF)
    with pytest.raises(ConfigurationError, match="callbacks"):
        classifier.fit(*rows, verbose=0, callbacks=[3])


def encoder_weights(classifier):
    """Of the dense layers below the softmax."""
    return [weight for layer in classifier.net.layers[:-1] for weight in layer.get_weights()]


class WeightsByEpoch(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.encoder, self.softmax = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.encoder.append(np.concatenate([w.ravel() for w in self.model.get_weights()[:-2]]))
        self.softmax.append(self.model.get_weights()[-2])


def test_the_first_stage_moves_the_softmax_alone_and_the_second_all(detector, rows):
    seen = WeightsByEpoch()
    classifier = FewLabelClassifier.from_detector(detector, **BRIEF)
    history = classifier.fit(*rows, verbose=0, callbacks=seen)
    start = np.concatenate([w.ravel() for w in detector.net.encoder.get_weights()])
    assert all((weights == start).all() for weights in seen.encoder[:2])
    assert all((weights != start).any() for weights in seen.encoder[2:])
    assert (seen.softmax[0] != seen.softmax[1]).any()
    assert history.epoch == [0, 1, 2, 3]
    assert {name: len(values) for name, values in history.history.items()} == {
        "loss": 4,
        "accuracy": 4,
        "regularization": 4,
    }
    # The penalty is on the encoder, so it begins when the encoder learns.
    assert [value > 0 for value in history.history["regularization"]] == [False, False, True, True]


def test_batch_statistics_are_kept_by_the_first_stage_and_by_prediction(make_nets, rows):
    X, y = rows
    net = make_nets(batch_norm=True)["encoder_net"]
    before = net.get_weights()
    classifier = FewLabelClassifier(net, **{**BRIEF, "dropout": 0.5})
    seen = WeightsByEpoch()
    classifier.fit(X, y, verbose=0, callbacks=seen)
    np.testing.assert_array_equal(seen.encoder[0], np.concatenate([w.ravel() for w in before]))
    after = classifier.net.get_weights()
    classifier.predict_proba(X, monte_carlo=3)
    for got, want in zip(classifier.net.get_weights(), after, strict=True):
        np.testing.assert_array_equal(got, want)
    for got, want in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, want)


def test_the_detector_is_never_changed_and_lends_its_scaling(detector, classifier, rows):
    other = FewLabelClassifier.from_detector(detector, **BRIEF)
    scores, weights = detector.score(rows[0]), detector.net.encoder.get_weights()
    other.fit(*rows, verbose=0)
    for got, want in zip(detector.net.encoder.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, want)
    assert all((g != w).any() for g, w in zip(encoder_weights(other), weights, strict=True))
    np.testing.assert_array_equal(detector.score(rows[0]), scores)
    assert other.normalizer is detector.state.normalizer
    # The same seed, the same probabilities.
    np.testing.assert_array_equal(other.predict_proba(rows[0]), classifier.predict_proba(rows[0]))


def test_a_detector_without_scaling_has_its_rows_used_as_they_are(rows):
    X = rows[0].astype(np.float32)
    detector = OutlierAEGMM.from_sizes(6, [8, 3], [4, 2], threshold=0.0, seed=0)
    detector.fit(X, **ONCE)
    classifier = FewLabelClassifier.from_detector(detector, **BRIEF)
    classifier.fit(X, rows[1], verbose=0)
    np.testing.assert_array_equal(classifier.normalizer.transform(X), X)


def test_without_a_detector_the_training_rows_are_standardised(standardised, rows):
    want = StandardScaler().fit_transform(rows[0])
    np.testing.assert_allclose(standardised.normalizer.transform(rows[0]), want, atol=1e-5)


def test_the_first_member_of_an_ensemble_lends_its_encoder(rows):
    one = OutlierAEGMM.from_sizes(6, [8, 3], [4, 2])
    two = one.blueprint.replace(members=2)
    detector = OutlierAEGMM.from_blueprint(two, one.fit_config, threshold=0.0, seed=0)
    detector.fit(rows[0], **ONCE)
    never = {**BARE, "frozen_epochs": 0, "epochs": 1, "learning_rate": 1e-9}
    classifier = FewLabelClassifier.from_detector(detector, **never)
    classifier.fit(*rows, verbose=0)
    first, second = (member.net.encoder.get_weights() for member in detector.members)
    assert (first[0] != second[0]).any()
    for got, weight in zip(encoder_weights(classifier), first, strict=True):
        np.testing.assert_allclose(got, weight, atol=1e-6)


def test_dropout_goes_between_the_layers_and_l2_on_the_kernels(detector, classifier, rows):
    kinds = [type(layer).__name__ for layer in classifier.net.layers]
    assert kinds == ["Dropout", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    kernels = [layer.kernel for layer in classifier.net.layers if hasattr(layer, "kernel")]
    want = 1e-4 * sum(float(np.sum(np.square(kernel))) for kernel in kernels[:-1])
    assert float(sum(classifier.net.losses)) == pytest.approx(want, rel=1e-5)
    assert detector.net.losses == []
    without = FewLabelClassifier.from_detector(detector, **BARE)
    without.fit(*rows, verbose=0)
    assert [type(layer).__name__ for layer in without.net.layers] == ["Dense"] * 3
    assert without.net.losses == []


def test_an_encoder_that_is_no_sequence_has_dropout_on_input_and_code(rows):
    inputs = keras.Input((6,))
    code = keras.layers.Concatenate()([keras.layers.Dense(4, "tanh")(inputs), inputs])
    classifier = FewLabelClassifier(keras.Model(inputs, code), **{**BRIEF, "frozen_epochs": 0})
    classifier.fit(*rows, verbose=0)
    kinds = [type(layer).__name__ for layer in classifier.net.layers]
    assert kinds == ["Dropout", "Functional", "Dropout", "Dense"]
    assert classifier.predict_proba(rows[0], monte_carlo=2).shape == (300, 3)


def test_images_need_an_encoder_that_takes_them(rows):
    images = rows[0].reshape(-1, 2, 3, 1)
    encoder = keras.Sequential(
        [keras.Input((2, 3, 1)), keras.layers.Conv2D(4, 2), keras.layers.Flatten()]
    )
    no_codes = keras.Sequential([keras.Input((2, 3, 1)), *encoder.layers[:1]])
    classifier = FewLabelClassifier(encoder, **{**BRIEF, "frozen_epochs": 0})
    classifier.fit(images, rows[1], verbose=0)
    assert classifier.predict_proba(images).shape == (300, 3)
    with pytest.raises(InvalidInputError, match=r"Pass an encoder for these, or use X\.reshape"):
        FewLabelClassifier(**BRIEF).fit(images, rows[1])
    with pytest.raises(ConfigurationError, match=r"codes of shape \(1, 2, 4\)"):
        FewLabelClassifier(no_codes, **BRIEF).fit(images, rows[1])


@settings(max_examples=10)
@given(batch_size=st.integers(1, 400), seed=st.integers(0, 99))
def test_neither_order_nor_batch_size_changes_probabilities(classifier, rows, batch_size, seed):
    want = classifier.predict_proba(rows[0])
    np.testing.assert_allclose(want.sum(axis=1), 1.0, rtol=1e-12)
    order = np.random.default_rng(seed).permutation(len(want))
    found = classifier.predict_proba(rows[0][order], batch_size=batch_size)
    np.testing.assert_allclose(found, want[order], rtol=1e-4, atol=1e-6)


def test_monte_carlo_is_a_seeded_mean_of_different_passes(classifier, rows):
    X = rows[0]
    few, again = (classifier.predict_proba(X, monte_carlo=3) for _ in range(2))
    np.testing.assert_array_equal(few, again)
    np.testing.assert_allclose(few.sum(axis=1), 1.0, rtol=1e-12)
    one, two = (classifier.predict_proba(X, monte_carlo=n) for n in (1, 2))
    # The mean of two passes is the first and a second one, which must be another.
    assert np.abs((2 * two - one) - one).max() > 1e-3
    # Passes are independent: the mean of n is nearer to the limit by the square root of n.
    limit = classifier.predict_proba(X, monte_carlo=400)
    far, near = (
        np.abs(p - limit).mean() for p in (one, classifier.predict_proba(X, monte_carlo=25))
    )
    assert 3.0 < far / near < 9.0
    # Dropout is not its own mean where the softmax bends.
    assert np.abs(limit - classifier.predict_proba(X)).max() > 1e-3


def test_monte_carlo_without_a_seed_is_another_one_each_time(detector, rows):
    classifier = FewLabelClassifier.from_detector(detector, **{**BRIEF, "seed": None})
    classifier.fit(*rows, verbose=0)
    one, two = (classifier.predict_proba(rows[0], monte_carlo=1) for _ in range(2))
    assert np.abs(one - two).max() > 1e-3


def test_classifiers_of_one_structure_share_programs_and_nothing_else(classifier, detector, rows):
    X, y = rows
    for passes in (0, 1):
        classifier.predict_proba(X, monte_carlo=passes)
    before = PROGRAMS.n_made
    other = FewLabelClassifier.from_detector(detector, **{**BRIEF, "seed": 1})
    other.fit(X, y[::-1], verbose=0)
    for passes in (0, 1):
        expected = np.mean([other.net(other.normalizer.transform(X))], axis=0)
        found = other.predict_proba(X, monte_carlo=passes)
        assert np.abs(found - classifier.predict_proba(X, monte_carlo=passes)).max() > 1e-3
        if not passes:
            np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert PROGRAMS.n_made == before


def test_penalties_of_several_weights_do_not_mix(detector, rows):
    brief = {**BRIEF, "frozen_epochs": 0, "epochs": 1}
    for l2 in (1.0, 1e-4, 1.0):
        classifier = FewLabelClassifier.from_detector(detector, **{**brief, "l2": l2})
        history = classifier.fit(*rows, verbose=0).history
        kernels = [layer.kernel for layer in detector.net.encoder.layers]
        want = l2 * sum(float(np.sum(np.square(kernel))) for kernel in kernels)
        # Of the mean weights in this epoch.
        assert history["regularization"][-1] == pytest.approx(want, rel=0.2)


def test_predictions_follow_weights_that_the_user_changes(standardised, rows):
    other = copy.deepcopy(standardised)
    before = other.predict_proba(rows[0])
    kernel, bias = other.net.layers[-1].get_weights()
    other.net.layers[-1].set_weights([kernel, bias + np.arange(3.0)])
    after = other.predict_proba(rows[0])
    assert np.abs(after - before).max() > 0.1
    want = other.net(other.normalizer.transform(rows[0]))
    np.testing.assert_allclose(after, want, rtol=1e-5)


def test_a_fit_that_fails_leaves_the_classifier_as_it_was(standardised, rows):
    other = copy.deepcopy(standardised)
    expected = other.predict_proba(rows[0])

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        other.fit(*rows, verbose=0, callbacks=Stop())
    np.testing.assert_array_equal(other.predict_proba(rows[0]), expected)


def test_monte_carlo_without_dropout_is_rejected(detector, rows):
    classifier = FewLabelClassifier.from_detector(detector, **BARE)
    classifier.fit(*rows, verbose=0)
    with pytest.raises(ConfigurationError, match="would all be the same with dropout=0"):
        classifier.predict_proba(rows[0], monte_carlo=10)


@pytest.mark.parametrize("passes", [-1, 1.5, True, "10"])
def test_monte_carlo_is_a_number_of_passes(classifier, rows, passes):
    with pytest.raises(ConfigurationError, match="pass a whole number of passes"):
        classifier.predict_proba(rows[0], monte_carlo=passes)


@pytest.mark.parametrize(
    "labels",
    [NAMES, NAMES.astype(object), np.array([7, -2, 40]), np.array([0.0, 2.0, 1.0]), [True, False]],
    ids=["text", "objects", "integers", "floats", "booleans"],
)
def test_labels_of_any_type_come_back(rows, labels):
    labels = np.asarray(labels)
    y = labels[np.searchsorted(NAMES, rows[1]) % len(labels)]
    quick = {"epochs": 8, "frozen_epochs": 0, "learning_rate": 0.02}
    classifier = FewLabelClassifier(**{**BRIEF, "hiddens": (8, 3), "activation": "tanh", **quick})
    classifier.fit(rows[0], y, verbose=0)
    found = classifier.predict(rows[0])
    assert found.dtype == y.dtype
    np.testing.assert_array_equal(classifier.classes_, np.unique(labels))
    assert classifier.score(rows[0], y) == np.mean(found == y)
    # More than always the most frequent class.
    assert np.mean(found == y) > 0.7


def test_early_stopping_brings_back_the_best_weights(rows):
    """Labels are noise, so the validation loss soon rises."""
    y = np.random.default_rng(0).integers(3, size=300)
    # A tenth for validation leaves as many steps as other tests have: they share programs.
    rest = {"validation_split": 0.1, "learning_rate": 0.02, "seed": 0}
    kept = FewLabelClassifier(
        hiddens=(8, 3), activation="tanh", frozen_epochs=1, epochs=60, patience=3, **rest
    )
    history = kept.fit(rows[0], y, verbose=0).history
    second = history["val_loss"][kept.config.frozen_epochs :]
    assert len(second) < 60
    assert int(np.argmin(second)) == len(second) - 1 - 3
    _, validation = held_out(300, 0.1, 0, y)
    probabilities = kept.predict_proba(rows[0][validation])
    cross_entropy = -np.log(probabilities[np.arange(len(validation)), y[validation]]).mean()
    penalty = float(sum(kept.net.losses))
    assert cross_entropy + penalty == pytest.approx(min(second), rel=1e-3)


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=8),
    share=st.floats(0.05, 0.4),
    seed=st.integers(0, 99),
)
def test_validation_rows_are_drawn_by_class(counts, share, seed):
    classes = np.repeat(np.arange(len(counts)), counts)
    try:
        train, validation = held_out(len(classes), share, seed, classes)
    except ConfigurationError:
        # Only where rows that are alone in their class leave too few.
        several = [count for count in counts if count > 1]
        held = max(np.ceil(share * sum(counts)), len(several), 1)
        assert sum(several) - held < max(1, len(several))
        return
    np.testing.assert_array_equal(
        np.sort(np.concatenate([train, validation])), np.arange(len(classes))
    )
    assert len(validation) >= share * len(classes)
    alone = np.flatnonzero(np.array(counts)[classes] == 1)
    assert set(alone) <= set(train)


def test_frames_must_have_the_columns_that_the_detector_saw(rows):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows[0], columns=list("abcdef"))
    detector = OutlierAEGMM.from_sizes(
        6, [8, 3], [4, 2], threshold=0.0, normalize="standard", seed=0
    )
    detector.fit(frame, **ONCE)
    classifier = FewLabelClassifier.from_detector(detector, **BRIEF)
    turned = frame[list("fedcba")]
    with pytest.raises(InvalidInputError, match="the same columns in another order"):
        classifier.fit(turned, rows[1])
    classifier.fit(frame, pandas.Series(rows[1]), verbose=0)
    with pytest.raises(InvalidInputError, match="the same columns in another order"):
        classifier.predict(turned)


def with_nan(X):
    X = X.copy()
    X[5, 2] = np.nan
    return X


@pytest.mark.parametrize(
    ("change_x", "change_y", "said"),
    [
        (with_nan, lambda y: y, r"1 row \(first: 5\)"),
        (lambda X: X[:, :4], lambda y: y, "4 features per row, but the detector's nets take 6"),
        (lambda X: X[:, 0], lambda y: y, "X has shape"),
        (lambda X: X[:1], lambda y: y[:1], "pass at least 2"),
        (lambda X: X, lambda y: y[:-1], "one label per row"),
        (lambda X: X, lambda y: y[:, None], "one label per row"),
        (lambda X: X, lambda y: y[:1].repeat(len(y)), "y holds one class"),
        (lambda X: X, lambda y: np.linspace(0, 1, len(y)), "fractions"),
        (lambda X: X, lambda y: np.where(y == "cold", np.nan, 1.0), "NaN"),
        (lambda X: X, lambda y: [None if v == "cold" else v for v in y], "NoneType, str"),
    ],
)
def test_bad_rows_and_labels_are_rejected_and_leave_the_classifier_as_it_was(
    detector, rows, change_x, change_y, said
):
    classifier = FewLabelClassifier.from_detector(detector, **BRIEF)
    with pytest.raises(InvalidInputError, match=said):
        classifier.fit(change_x(rows[0]), change_y(rows[1]))
    with pytest.raises(NotFittedError, match="no predict_proba"):
        classifier.predict(rows[0])


def test_bad_rows_are_rejected_by_prediction(classifier, rows):
    with pytest.raises(InvalidInputError, match=r"1 row \(first: 5\)"):
        classifier.predict_proba(with_nan(rows[0]), batch_size=2)
    with pytest.raises(InvalidInputError, match="4 features per row"):
        classifier.predict(rows[0][:, :4])
    with pytest.raises(InvalidInputError, match="pass labels of that type"):
        classifier.score(rows[0], np.zeros(300))
    with pytest.raises(InvalidInputError, match="no rows"):
        classifier.score(rows[0][:0], rows[1][:0])
    assert classifier.predict_proba(rows[0][:0]).shape == (0, 3)


def test_other_things_than_encoders_and_detectors_are_rejected(detector):
    with pytest.raises(NetTypeError, match="encoder is a OutlierAEGMM"):
        FewLabelClassifier(detector)
    with pytest.raises(ConfigurationError, match=r"pass an OutlierAEGMM"):
        FewLabelClassifier.from_detector(detector.net.encoder)
    with pytest.raises(NotFittedError, match="needs a fitted detector"):
        FewLabelClassifier.from_detector(OutlierAEGMM.from_sizes(6, [3], [2], threshold=0.0))
    with pytest.raises(ConfigurationError, match="no weights yet"):
        FewLabelClassifier(keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(ConfigurationError, match="leave them out"):
        FewLabelClassifier(detector.net.encoder, hiddens=(5,))
    with pytest.raises(ConfigurationError, match="set patience=None"):
        FewLabelClassifier(validation_split=0.0)


def test_too_few_rows_to_validate_on_are_an_error(rows):
    with pytest.raises(ConfigurationError, match="validation_split=0 and patience=None"):
        FewLabelClassifier(seed=0).fit(rows[0][:3], ["a", "b", "c"])


def test_training_that_meets_infinity_is_an_error(rows):
    wild = {**BRIEF, "learning_rate": 1e30}
    classifier = FewLabelClassifier(hiddens=(8, 3), activation="tanh", **wild)
    with pytest.raises(NonFiniteLossError, match="Lower learning_rate"):
        classifier.fit(*rows, verbose=0)
    with pytest.raises(NotFittedError):
        classifier.predict(rows[0])


def on_a_plane(n_rows, seed):
    """Rows whose class is in 2 of 40 directions, with the larger share of their variance."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(4, size=n_rows)
    centres = 2.0 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    code = centres[classes] + 0.3 * rng.normal(size=(n_rows, 2))
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 2)))[0].T
    return code @ directions + 0.5 * rng.normal(size=(n_rows, 40)), classes


def test_with_few_labels_pre_training_beats_none():
    unlabelled, _ = on_a_plane(3000, seed=1)
    X_test, y_test = on_a_plane(2000, seed=2)
    pretrained = fit_autoencoder(unlabelled, (16, 2), epochs=10, verbose=0, seed=0)
    # So few rows that none is held out; batches small enough for many steps.
    rest = {"frozen_epochs": 5, "epochs": 10, "patience": None, "validation_split": 0.0}
    rest |= {"batch_size": 4, "learning_rate": 0.01}
    gains = []
    for seed in range(3):
        X, y = on_a_plane(20, seed=10 + seed)
        starts = {
            "none": FewLabelClassifier(hiddens=(16, 2), seed=seed, **rest),
            "autoencoder": FewLabelClassifier(
                pretrained.encoder, normalizer=pretrained.normalizer, seed=seed, **rest
            ),
        }
        found = {}
        for name, classifier in starts.items():
            classifier.fit(X, y, verbose=0)
            found[name] = classifier.score(X_test, y_test)
        gains.append(found["autoencoder"] - found["none"])
    assert np.mean(gains) > 0.05


def test_the_autoencoder_learns_its_rows_and_returns_the_plain_encoder(rows):
    settings = {"epochs": 10, "batch_size": 32, "learning_rate": 0.01, "verbose": 0, "seed": 0}
    first, second = (fit_autoencoder(rows[0], (8, 4), **settings) for _ in range(2))
    x = first.normalizer.transform(rows[0])
    np.testing.assert_array_equal(first.encoder(x), second.encoder(x))
    assert [type(layer).__name__ for layer in first.encoder.layers] == ["Dense", "Dense"]
    assert first.encoder.output_shape == (None, 4)
    losses = first.history.history["val_loss"]
    # Less than the variance of standardised rows, which is what a constant leaves.
    assert min(losses) < 0.5 < losses[0]


def test_the_autoencoder_rejects_what_it_cannot_train_on(rows):
    with pytest.raises(InvalidInputError, match=r"1 row \(first: 5\)"):
        fit_autoencoder(with_nan(rows[0]))
    with pytest.raises(InvalidInputError, match=r"reshape"):
        fit_autoencoder(rows[0].reshape(-1, 2, 3))
    with pytest.raises(InvalidInputError, match="no batch"):
        fit_autoencoder(lambda: iter(()))
    with pytest.raises(ConfigurationError, match="frozen_epochs is not an argument here"):
        fit_autoencoder(rows[0], frozen_epochs=3)


def test_a_stream_is_its_rows(rows):
    settings = {"hiddens": (8, 4), "epochs": 2, "batch_size": 32, "verbose": 0, "seed": 0}
    whole = fit_autoencoder(rows[0], **settings)
    parts = fit_autoencoder(lambda: iter(np.array_split(rows[0], 7)), **settings)
    x = whole.normalizer.transform(rows[0])
    np.testing.assert_array_equal(whole.encoder(x), parts.encoder(x))


def test_public_names_resolve_and_are_listed():
    for name in aegmm_detect.few_labels.__all__:
        assert getattr(aegmm_detect.few_labels, name) is not None
        assert name in dir(aegmm_detect.few_labels)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_copies_and_pickles_predict_the_same_whatever_has_been_compiled(classifier, rows, copied):
    expected = classifier.predict_proba(rows[0]), classifier.predict_proba(rows[0], monte_carlo=2)
    other = copied(classifier)
    assert np.array_equal(other.predict_proba(rows[0]), expected[0])
    assert np.array_equal(other.predict_proba(rows[0], monte_carlo=2), expected[1])
    other.fit(rows[0], rows[1][::-1], verbose=0)
    assert np.array_equal(classifier.predict_proba(rows[0]), expected[0])
