"""Every way to spell a function or layer comes back as what it is, or is rejected when saved."""

import copy
import functools
import pickle
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from aegmm_detect.exceptions import ArtefactError, ConfigurationError
from aegmm_detect.nets.copies import net_to_train
from aegmm_detect.numerics.features import concat, eucl_cosim_features
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.saving import load_detector, save_detector
from aegmm_detect.serialization import allow_list
from aegmm_detect.serialization.features import features_from_json, features_to_json
from aegmm_detect.serialization.nets import deserialize_net, serialize_net
from tests.serialization import own_functions as own

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
# They take a second argument.
_OF_TWO = ("threshold", "logaddexp")
# Keras's layers do not know that these change the width.
_WIDTH = ("glu", "crelu")

LISTED = {
    n: f
    for n, f in allow_list.functions().items()
    if n.rpartition(".")[2] not in (*_OF_TWO, *_WIDTH)
}
STRINGS = {
    f"'{name}'": name for name in allow_list._ACTIVATIONS.split() if name not in (*_OF_TWO, *_WIDTH)
}
LAYERS = {
    "LeakyReLU()": layers.LeakyReLU(0.1),
    "PReLU()": layers.PReLU(),
    "Softmax()": layers.Softmax(),
    "ReLU(6)": layers.ReLU(6.0),
    "ELU()": layers.ELU(),
}
OWN = {f"own {f.__name__}": f for f in own.UNREGISTERED} | {
    f"registered {f.__name__}": f for f in own.REGISTERED
}
SPELLINGS = {**STRINGS, **LISTED, **LAYERS, **OWN}


def net_with(activation, **settings):
    hidden = layers.Dense(4, activation, kernel_initializer="glorot_uniform", **settings)
    return keras.Sequential([keras.Input((4,)), hidden, layers.Dense(1)])


def outputs(net):
    return np.asarray(net(X, training=False))


# Keras's own, in nets of ten layers side by side: each net takes as long to save as five layers.
KERAS = STRINGS | LISTED
TENS = [list(KERAS)[start : start + 10] for start in range(0, len(KERAS), 10)]


@pytest.mark.parametrize("names", TENS, ids=lambda names: names[0])
def test_ten_activations_of_keras_come_back_as_what_they_are(names):
    x = keras.Input((4,))
    hidden = [layers.Dense(4, KERAS[n], kernel_initializer="glorot_uniform") for n in names]
    net = keras.Model(x, [layer(x) for layer in hidden])
    parts, described = serialize_net(net, "encoder")
    assert not described.own
    loaded = deserialize_net(parts, "encoder", {})
    for name, found, want in zip(names, loaded(X), net(X), strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(want), name)
    held, kept = ([layer.activation for layer in n.layers[1:]] for n in (net, loaded))
    for name, one, other in zip(names, held, kept, strict=True):
        assert one is other, name


@pytest.mark.parametrize("name", LAYERS | OWN)
def test_an_activation_comes_back_as_what_it_is(name):
    net = net_with(SPELLINGS[name])
    parts, described = serialize_net(net, "encoder")
    loaded = deserialize_net(parts, "encoder", described.own)
    np.testing.assert_array_equal(outputs(loaded), outputs(net))
    if not isinstance(SPELLINGS[name], layers.Layer):
        assert loaded.layers[0].activation is net.layers[0].activation
    # What is not registered is asked for by its own name, and nothing else will do.
    if name in OWN and described.own:
        assert list(described.own.values()) == [SPELLINGS[name]]
        with pytest.raises(ArtefactError, match=f"needs '{SPELLINGS[name].__name__}'"):
            deserialize_net(parts, "encoder", {})


PLACES = {
    "kernel_initializer": own.some_start,
    "kernel_regularizer": own.some_cost,
    "kernel_constraint": own.some_bound,
}


@pytest.mark.parametrize("place", PLACES)
def test_functions_that_only_training_uses_come_back_too(place):
    function = PLACES[place]
    net = keras.Sequential([keras.Input((4,)), layers.Dense(3, **{place: function})])
    parts, described = serialize_net(net, "encoder")
    loaded = deserialize_net(parts, "encoder", described.own)
    assert getattr(loaded.layers[0], place) is function


def test_layers_in_layers_hold_what_they_held():
    cell = layers.GRUCell(3, activation=own.tanh, recurrent_activation=tf.nn.sigmoid)
    net = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Reshape((2, 2)),
            layers.TimeDistributed(layers.Dense(2, own.relu)),
            layers.RNN(cell),
            layers.Reshape((3, 1)),
            layers.Bidirectional(layers.SimpleRNN(2, own.gelu)),
            keras.Sequential([layers.Dense(2, tf.exp)]),
        ]
    )
    outputs(net)
    parts, described = serialize_net(net, "encoder")
    loaded = deserialize_net(parts, "encoder", described.own)
    np.testing.assert_array_equal(outputs(loaded), outputs(net))
    inner = loaded.layers[2].cell
    assert (inner.activation, inner.recurrent_activation) == (own.tanh, tf.nn.sigmoid)
    for side in ("forward_layer", "backward_layer"):
        held, kept = (getattr(n.layers[4], side).activation for n in (net, loaded))
        assert held is kept
    assert loaded.layers[1].layer.activation is own.relu


def test_functions_that_a_users_layer_holds_come_back():
    net = keras.Sequential([keras.Input((4,)), own.Applied(own.gelu), own.Applied("tanh")])
    parts, described = serialize_net(net, "encoder")
    loaded = deserialize_net(parts, "encoder", described.own)
    assert loaded.layers[0].kept is own.gelu
    np.testing.assert_array_equal(outputs(loaded), outputs(net))


FEATURES = {
    "ours": eucl_cosim_features,
    "own, called like ours": own.eucl_cosim_features,
    "own": own.largest,
    "registered": own.registered_largest,
    "several": concat(eucl_cosim_features, own.eucl_cosim_features, own.registered_largest),
}


@pytest.mark.parametrize("name", FEATURES)
def test_feature_functions_come_back_as_what_they_are(name):
    config, described = features_to_json(FEATURES[name])
    loaded = features_from_json(config, described.own)
    assert loaded == FEATURES[name]
    if described.own:
        with pytest.raises(ArtefactError, match=r"needs '(eucl_cosim_features|largest)'"):
            features_from_json(config, {})


def test_a_layer_that_is_not_registered_and_has_no_get_config_comes_back():
    net = keras.Sequential([keras.Input((4,)), layers.Dense(3), own.Plain(0.5), own.Plain(2.0)])
    parts, described = serialize_net(net, "encoder")
    assert described.own == {"Plain": own.Plain}
    loaded = deserialize_net(parts, "encoder", described.own)
    np.testing.assert_array_equal(outputs(loaded), outputs(net))
    with pytest.raises(ArtefactError, match="needs 'Plain'"):
        deserialize_net(parts, "encoder", {})


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_lambda_is_rejected_by_copies_and_pickles_and_not_when_they_are_loaded():
    detector = detector_with(net_with(lambda x: x))
    for call in (lambda: pickle.dumps(detector), lambda: copy.copy(detector)):
        with pytest.raises(ArtefactError, match=r"encoder.*holds a lambda"):
            call()


@pytest.mark.parametrize("given", [[own.relu], {"relu": "relu"}, {3: own.relu}, "relu"])
def test_custom_objects_of_another_kind_are_rejected(given, tmp_path):
    save_detector(detector_with(), tmp_path / "x.aegmm")
    with pytest.raises(ConfigurationError, match="custom_objects="):
        load_detector(tmp_path / "x.aegmm", custom_objects=given)


class Bounded:
    def limit(self, x):
        return ops.clip(x, -1.0, 1.0)


REJECTED = {
    "a lambda": (lambda x: x, "lambda"),
    "a partial": (functools.partial(ops.clip, x_min=-1, x_max=1), "functools.partial"),
    "NumPy's": (np.tanh, "NumPy's tanh"),
    "a compiled function": (tf.function(own.relu), "tf.function"),
    "a bound method": (Bounded().limit, "bound method"),
    "an object": (own.Callable(), "Callable without get_config"),
    "a name that another has taken": (own.replaced, "another function by now"),
}


@pytest.mark.parametrize("name", REJECTED)
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_what_has_no_name_of_its_own_is_rejected_when_saved(name):
    function, message = REJECTED[name]
    with pytest.raises(ArtefactError, match=f"encoder.*{message}"):
        serialize_net(net_with(function), "encoder")
    with pytest.raises(ArtefactError, match=f"recon_features.*{message}"):
        features_to_json(function)


def test_two_functions_of_one_name_are_rejected():
    net = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, own.relu), layers.Dense(3, own.other_relu())]
    )
    with pytest.raises(ArtefactError, match="two different objects called 'relu'"):
        serialize_net(net, "encoder")


def detector_with(encoder=None, features=eucl_cosim_features, end="softmax"):
    net = keras.Sequential([keras.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(1)])
    return OutlierAEGMM(
        encoder_net=encoder or net,
        decoder_net=keras.Sequential([keras.Input((1,)), layers.Dense(4)]),
        gmm_density_net=keras.Sequential([keras.Input((3,)), layers.Dense(2, end)]),
        n_gmm=2,
        recon_features=features,
        threshold=0.0,
    )


NOT_DESCRIBED = {
    "an argument and no get_config": (own.Silent(tf.constant(3.0)), "get_config"),
    "no name argument": (own.Nameless(3.0), "cannot load|differ"),
    "an argument that is left out": (own.Forgetful(3.0), "differ in the outputs of encoder"),
}


@pytest.mark.parametrize("name", NOT_DESCRIBED)
def test_layers_that_do_not_describe_themselves_are_rejected_when_saved(name, tmp_path):
    layer, message = NOT_DESCRIBED[name]
    net = keras.Sequential([keras.Input((4,)), layer, layers.Dense(1)])
    save_detector(detector_with(), tmp_path / "x.aegmm")
    before = (tmp_path / "x.aegmm").read_bytes()
    with pytest.raises(ArtefactError, match=message):
        save_detector(detector_with(net), tmp_path / "x.aegmm")
    assert (tmp_path / "x.aegmm").read_bytes() == before


def test_a_ready_model_without_get_config_is_rejected_when_saved(tmp_path):
    model = own.Undescribed(4)
    model(X)
    with pytest.raises(ArtefactError, match="net"):
        save_detector(OutlierAEGMM(aegmm=model, threshold=0.0), tmp_path / "x.aegmm")
    assert not (tmp_path / "x.aegmm").exists()


def test_copies_hold_the_same_functions():
    net = net_with(own.relu)
    copied = net_to_train("encoder_net", net, 4)
    assert copied.layers[0].activation is own.relu
    detector = detector_with(net)
    for twin in (copy.copy(detector), pickle.loads(pickle.dumps(detector))):
        assert twin.net.encoder.layers[0].activation is own.relu
        np.testing.assert_array_equal(outputs(twin.net.encoder), outputs(net))


IN_A_FRESH_PROCESS = """
import functools
import pickle
import sys
import numpy as np
from aegmm_detect.programs.tracing import SCORING
from aegmm_detect.saving import load_detector
from tests.serialization import own_functions as own

folder = sys.argv[1]
given = {f.__name__: f for f in own.UNREGISTERED}


@functools.cache
def load(number):
    return load_detector(f"{folder}/{number}.aegmm", custom_objects=given).net


rows = np.load(f"{folder}/rows.npy")
with np.load(f"{folder}/outputs.npz") as wanted:
    for name in wanted:
        kind, number = name.split("-")
        net = load(number)
        if kind == "encoder":
            found = net.encoder(rows, training=False)
        else:
            found = net.gmm_density(rows[:, :3], training=False)
        np.testing.assert_array_equal(np.asarray(found), wanted[name])
        print(name)

SCORING["mode"] = "graph"  # as in these tests
scored = np.load(f"{folder}/scored.npy")
with open(f"{folder}/pickled", "rb") as stream:
    pickled = pickle.load(stream)
for detector in (load_detector(f"{folder}/saved.aegmm"), pickled):
    print(detector.score(scored).tobytes().hex(), detector.threshold.hex())
"""


@pytest.fixture(scope="module")
def fresh_process(fitted, normal_rows, tmp_path_factory):
    """Lines that a new process prints of all spellings, the names of these, and of `fitted`.

    Several spellings are in one net: few files are quick. The end of the density net varies, too.
    Layers without weights hold them here: `Dense` layers hold each of them in the tests above.
    """
    tmp_path = tmp_path_factory.mktemp("fresh")
    spellings = [f for n, f in SPELLINGS.items() if n not in LAYERS]
    wanted = {}
    ends = [tf.nn.softmax, keras.activations.softmax, ops.softmax, own.softmax, "softmax"]
    for number in range(len(spellings) // 60 + 1):
        some = spellings[60 * number : 60 * number + 60]
        x = keras.Input((4,))
        side_by_side = layers.Concatenate()([layers.Activation(f)(x) for f in some])
        encoder = keras.Model(x, layers.Dense(1)(side_by_side))
        detector = detector_with(encoder, end=ends[number % len(ends)])
        save_detector(detector, tmp_path / f"{number}.aegmm")
        wanted[f"encoder-{number}"] = outputs(encoder)
        wanted[f"density-{number}"] = np.asarray(detector.net.gmm_density(X[:, :3]))
    np.save(tmp_path / "rows.npy", X)
    np.savez(tmp_path / "outputs.npz", **wanted)
    save_detector(fitted, tmp_path / "saved.aegmm")
    (tmp_path / "pickled").write_bytes(pickle.dumps(fitted))
    np.save(tmp_path / "scored.npy", normal_rows)
    command = [sys.executable, "-c", IN_A_FRESH_PROCESS, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return lines[: len(wanted)], list(wanted), lines[len(wanted) :]


def test_all_spellings_are_the_same_in_a_fresh_process(fresh_process):
    found, names, _ = fresh_process
    assert found == names
    assert len(names) >= 4


def test_in_another_process_a_detector_scores_to_the_last_bit_alike(
    fresh_process, fitted, normal_rows
):
    """As a file, and as a pickle."""
    want = f"{fitted.score(normal_rows).tobytes().hex()} {fitted.threshold.hex()}"
    assert fresh_process[2] == [want, want]


@pytest.mark.filterwarnings("ignore:Argument `input_shape` is deprecated")  # Keras's, of its own
def test_the_walk_of_alibi_detects_documentation_runs_to_a_loaded_detector(tmp_path):
    """Nets spelled as there: TensorFlow's functions, an input layer of its own."""
    n_features, latent_dim, n_gmm = 18, 1, 2
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, n_features)).astype(np.float32)
    encoder_net = tf.keras.Sequential(
        [
            tf.keras.layers.InputLayer(input_shape=(n_features,)),
            tf.keras.layers.Dense(12, activation=tf.nn.tanh),
            tf.keras.layers.Dense(latent_dim, activation=None),
        ]
    )
    decoder_net = tf.keras.Sequential(
        [
            tf.keras.layers.InputLayer(input_shape=(latent_dim,)),
            tf.keras.layers.Dense(12, activation=tf.nn.tanh),
            tf.keras.layers.Dense(n_features, activation=None),
        ]
    )
    gmm_density_net = tf.keras.Sequential(
        [
            tf.keras.layers.InputLayer(input_shape=(latent_dim + 2,)),
            tf.keras.layers.Dense(10, activation=tf.nn.tanh),
            tf.keras.layers.Dense(n_gmm, activation=tf.nn.softmax),
        ]
    )
    detector = OutlierAEGMM(
        threshold=None,
        encoder_net=encoder_net,
        decoder_net=decoder_net,
        gmm_density_net=gmm_density_net,
        n_gmm=n_gmm,
    )
    detector.fit(rows, epochs=2, batch_size=64, verbose=False)
    detector.infer_threshold(rows, threshold_perc=95.0)
    with pytest.warns(UserWarning, match="legacy does nothing"):
        save_detector(detector, str(tmp_path / "od"), legacy=False)
    with pytest.warns(UserWarning, match="enable_unsafe_loading does nothing"):
        loaded = load_detector(str(tmp_path / "od"), enable_unsafe_loading=True)
    np.testing.assert_array_equal(loaded.score(rows), detector.score(rows))
    for key, value in detector.predict(rows)["data"].items():
        np.testing.assert_array_equal(loaded.predict(rows)["data"][key], value)
