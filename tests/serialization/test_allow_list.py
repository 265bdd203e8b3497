"""What a configuration can name: nothing is called that is not on the list."""

import contextlib
import json

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization import allow_list
from aegmm_detect.serialization.features import features_from_json
from aegmm_detect.serialization.nets import deserialize_net, serialize_net


@pytest.fixture(scope="module")
def parts():
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "tanh")])
    return serialize_net(net, "encoder")[0]


def edited(parts, edit):
    config = json.loads(json.dumps(parts.config))
    edit(config["config"]["layers"])
    return parts._replace(config=config)


def described(class_name, module="keras.layers", **config):
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": None,
    }


def function(module, name):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


def exported():
    """Everything that Keras exports, by module and name, and where it is kept."""
    left, seen = [("keras", keras)], set()
    while left:
        path, module = left.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        for name, value in list(vars(module).items()):
            if isinstance(value, type(keras)):
                if value.__name__.startswith("keras") and not name.startswith("_"):
                    left.append((f"{path}.{name}", value))
            elif callable(value) and not name.startswith("_"):
                yield path, name, value


PLACES = {
    "activation": lambda layers, made: layers[1]["config"].update(activation=made),
    "initializer": lambda layers, made: layers[1]["config"].update(kernel_initializer=made),
    "regularizer": lambda layers, made: layers[1]["config"].update(kernel_regularizer=made),
    "layer": lambda layers, made: layers.insert(1, made),
}


class Called(BaseException):
    """Nothing in Keras or here catches it."""


@contextlib.contextmanager
def armed(names):
    """Replace functions by ones that raise, wherever a name leads to them."""
    from keras.src import api_export

    def trap(*_args, **_kwargs):
        raise Called

    with pytest.MonkeyPatch.context() as patch:
        looked_up = api_export.get_symbol_from_name
        patch.setattr(
            api_export,
            "get_symbol_from_name",
            lambda name: trap if name in names else looked_up(name),
        )
        yield


def test_every_listed_name_leads_to_something_in_the_newest_keras():
    """A name that Keras has dropped would leave the list silently."""
    named = {
        f"{module}.{name}"
        for names in (allow_list._CLASSES, allow_list._FUNCTIONS)
        for module, listed in names.items()
        for name in listed.split()
    }
    found = allow_list.classes().keys() | allow_list.functions().keys()
    missing = named - found
    # Of the activations, these are no functions of keras.ops.
    assert missing == {f"keras.ops.{name}" for name in ("exponential", "linear", "mish")}


def test_no_function_of_keras_that_is_not_listed_is_called(parts):
    listed = allow_list.functions()
    names = {f"{p}.{n}" for p, n, v in exported() if not isinstance(v, type)}
    strange = sorted(names - listed.keys())
    assert len(strange) > 300
    with armed(set(strange)):
        for full in strange:
            module, _, name = full.rpartition(".")
            # Joined in the other way that means the same, too.
            for split in ((module, name), ("keras", full.removeprefix("keras."))):
                bad = edited(parts, lambda ls, s=split: PLACES["activation"](ls, function(*s)))
                with pytest.raises(ArtefactError, match="encoder needs"):
                    deserialize_net(bad, "encoder", {})


def test_no_class_of_keras_that_is_not_listed_is_made(parts):
    names = {(p, n) for p, n, v in exported() if isinstance(v, type)}
    strange = sorted(pair for pair in names if ".".join(pair) not in allow_list.classes())
    assert len(strange) > 200
    for module, name in strange:
        for split in ((module, name), ("keras", f"{module}.{name}".removeprefix("keras."))):
            made = described(split[1], split[0])
            bad = edited(parts, lambda ls, m=made: PLACES["layer"](ls, m))
            with pytest.raises(ArtefactError, match=r"encoder (needs|holds)"):
                deserialize_net(bad, "encoder", {})


OPERATIONS = ("Switch", "Cond", "WhileLoop", "ForiLoop", "Map", "Scan", "VectorizedMap")
HARMFUL = {
    **{f"operation {n}": described(n, "keras.src.ops.core") for n in OPERATIONS},
    "a creation": described("Arange", "keras.src.ops.numpy"),
    "a saved model": described("TFSMLayer", filepath="/tmp"),
    "joined otherwise": described("layers.TFSMLayer", "keras", filepath="/tmp"),
    "a vocabulary": described("StringLookup", vocabulary="/etc/hostname"),
    "builtins": described("eval", "builtins"),
    "a module": described("Popen", "subprocess", args=["true"]),
    "a registered name of nobody": {**described("Dense", units=3), "registered_name": "a>b"},
    "no module": {"class_name": "Dense", "config": {"units": 3}},
    "no settings": {**described("Dense"), "config": None},
    "a name that is a list": {**described("Dense"), "class_name": ["Dense"]},
    "a lambda": {"class_name": "__lambda__", "config": {"value": "abc"}},
    "a type": {
        "class_name": "__typespec__",
        "spec_name": "system",
        "module": "os",
        "config": ["true"],
        "registered_name": None,
    },
}


@pytest.mark.parametrize("unsafe", [False, True], ids=["", "unsafe process"])
@pytest.mark.parametrize("place", PLACES)
def test_objects_that_do_more_than_compute_are_rejected(parts, place, unsafe):
    if unsafe:  # somebody has switched Keras's safe mode off for the whole process
        keras.config.enable_unsafe_deserialization()
    try:
        for harm in HARMFUL.values():
            bad = edited(parts, lambda ls, h=harm: PLACES[place](ls, h))
            with pytest.raises(ArtefactError, match=r"encoder (needs|holds)"):
                deserialize_net(bad, "encoder", {})
    finally:
        keras.src.backend.common.global_state.set_global_attribute("safe_mode_saving", None)


def test_switches_of_the_process_stay_as_they_are(parts):
    before = keras.config.epsilon(), keras.config.floatx()
    for name in ("set_epsilon", "set_floatx", "set_max_epochs"):
        made = described("Switch", "keras.src.ops.core", fn=function("keras.config", name))
        for harm in (made, function("keras.config", name)):
            for put in PLACES.values():
                with pytest.raises(ArtefactError):
                    deserialize_net(edited(parts, lambda ls, p=put, h=harm: p(ls, h)), "net", {})
            with pytest.raises(ArtefactError, match="recon_features"):
                features_from_json(harm, {})
    assert (keras.config.epsilon(), keras.config.floatx()) == before


def test_a_configuration_for_training_is_left_out(parts):
    config = {**parts.config, "compile_config": {"optimizer": "adam", "loss": function("os", "x")}}
    net = deserialize_net(parts._replace(config=config), "encoder", {})
    assert not net.compiled


LONG_TEXT = {"value": ["a"], "dtype": "U500000000"}


def operation(class_name, **config):
    """In a layer's place: it is vetted and planned all the same."""
    return described(class_name, "keras.src.ops.numpy", name="o", **config)


# --- Bounds: nothing is made that is larger than what is stored. ---

LARGE = {
    "weights": ([described("Dense", name="x", units=10**7)], "bytes of weights"),
    "a width": ([described("Dense", name="x", units=10**18)], r"units=1,0.*; at most"),
    "outputs": ([described("RepeatVector", name="x", n=10**7)], "numbers of one row"),
    "pieces": ([operation("Split", indices_or_sections=10**4, axis=1)], "at most 1,000"),
    "a window": (
        [
            described("Reshape", name="r", target_shape=[3, 1]),
            described("MaxPooling1D", name="p", pool_size=2**31, strides=1, padding="same"),
        ],
        "pool_size",
    ),
    "a text in place of numbers": (
        [operation("Add", x2={"class_name": "__numpy__", "config": LONG_TEXT})],
        "something other than numbers",
    ),
    "steps, spelled otherwise": (
        [described("SimpleRNN", name="s", units=3, unroll=1)],
        "unroll=1",
    ),
    "a layer at each of many steps": (
        [
            described("RepeatVector", name="r", n=10**5),
            described("TimeDistributed", name="t", layer=described("Identity", name="i")),
        ],
        r"TimeDistributed.* 100,000",
    ),
    "a sequence that says that it is none": (
        [{**described("Identity", name=f"x{i}"), "inbound_nodes": []} for i in range(300)],
        "too many layers",
    ),
    "a number": ([described("RepeatVector", name="x", n=2**63)], "too large a number"),
    "objects": ([described("Identity", name=f"x{i}") for i in range(21_000)], "objects"),
    "layers": ([described("Identity", name=f"x{i}") for i in range(300)], "too many layers"),
    "steps": (
        [
            described("Reshape", name="r", target_shape=[3, 1]),
            described("UpSampling1D", name="u", size=10**6),
            described("LSTM", name="l", units=3, unroll=True),
        ],
        r"unroll=True.* 3,000,000",
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_asks_for_too_much_is_rejected_before_memory_is_taken(parts, name):
    layers, message = LARGE[name]
    with pytest.raises(ArtefactError, match=message):
        deserialize_net(edited(parts, lambda ls: ls.extend(layers)), "encoder", {})


def test_more_rows_and_places_that_look_at_each_other_are_counted():
    x = keras.Input((4,))
    series = keras.layers.RepeatVector(7)(x)
    looked_at = keras.layers.Attention()([series, series])
    more_rows = keras.ops.tile(x, (1, 3))
    made = serialize_net(keras.Model(x, [looked_at, more_rows]), "net")[0]
    deserialize_net(made, "net", {})
    text = json.dumps(made.config)
    for small, large in (('"n": 7', '"n": 100000'), ("[1, 3]", "[10000000, 3]")):
        assert small in text
        bad = made._replace(config=json.loads(text.replace(small, large)))
        with pytest.raises(ArtefactError, match="numbers of one row"):
            deserialize_net(bad, "net", {})


def test_models_in_models_in_models_are_counted(parts):
    x = keras.Input((4,))
    net = keras.Model(x, x + 1.0, name="m")
    for i in range(3):
        y = keras.Input((4,))
        net = keras.Model(y, net(net(y)), name=f"m{i}")
    config = serialize_net(net, "encoder")[0].config
    for i in range(12):
        outer = json.loads(json.dumps(serialize_net(net, "encoder")[0].config))
        outer["config"]["name"] = f"n{i}"
        for layer in outer["config"]["layers"]:
            if layer["class_name"] == "Functional":
                layer["config"] = config["config"]
        config = outer
    with pytest.raises(ArtefactError, match="too many layers"):
        deserialize_net(parts._replace(config=config), "encoder", {})


def test_endless_nesting_is_rejected(parts):
    config = described("Sequential", "keras", name="s", layers=[])
    for i in range(300):
        config = described("Sequential", "keras", name=f"s{i}", layers=[config])
    with pytest.raises(ArtefactError, match="too many levels"):
        deserialize_net(parts._replace(config=config), "encoder", {})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_rejected(parts, value):
    path, array = next(iter(parts.weights.items()))
    bad = parts._replace(weights={**parts.weights, path: np.full_like(array, value)})
    with pytest.raises(ArtefactError, match="not finite"):
        deserialize_net(bad, "encoder", {})


def test_weights_of_another_type_or_shape_are_rejected(parts):
    path, array = next(iter(parts.weights.items()))
    for other in (array.astype(np.float64), array[:-1]):
        with pytest.raises(ArtefactError, match=r"stores weights|cannot load"):
            deserialize_net(parts._replace(weights={**parts.weights, path: other}), "encoder", {})


def test_a_net_of_the_users_own_layer_needs_no_plan(parts):
    """A layer whose variables need their values at once cannot be built without them."""

    @keras.saving.register_keras_serializable("tests")
    class AtOnce(keras.layers.Layer):
        def build(self, input_shape):
            self.shift = keras.Variable(np.ones(input_shape[-1], np.float32))

        def call(self, x):
            return x + self.shift

    net = keras.Sequential([keras.Input((4,)), AtOnce()])
    loaded = deserialize_net(serialize_net(net, "encoder")[0], "encoder", {})
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(loaded(x), net(x))
