import keras
import numpy as np
import pytest
from keras import layers

from aegmm_detect.exceptions import ConfigurationError, NetTypeError
from aegmm_detect.nets import checks
from aegmm_detect.nets.aegmm import AEGMM
from aegmm_detect.numerics import features


def mlp(n_inputs, n_outputs, activation=None):
    return keras.Sequential([keras.Input((n_inputs,)), layers.Dense(n_outputs, activation)])


def functional(n_inputs, n_outputs, activation=None):
    inputs = keras.Input((n_inputs,))
    return keras.Model(inputs, layers.Dense(n_outputs, activation)(inputs))


def functional_of_lists(n_inputs, n_outputs, activation=None):
    inputs = keras.Input((n_inputs,))
    return keras.Model([inputs], [layers.Dense(n_outputs, activation)(inputs)])


def unbuilt(n_inputs, n_outputs, activation=None):
    return keras.Sequential([layers.Dense(n_outputs, activation)])


class Subclassed(keras.Model):
    def __init__(self, n_inputs, n_outputs, activation=None):
        super().__init__()
        self.dense = layers.Dense(n_outputs, activation)

    def call(self, x):
        return self.dense(x)


KINDS = pytest.mark.parametrize(
    "make", [mlp, functional, functional_of_lists, unbuilt, Subclassed], ids=lambda f: f.__name__
)


def net(make=mlp, **changes):
    parts = {
        "encoder_net": make(6, 2),
        "decoder_net": make(2, 6),
        "gmm_density_net": make(4, 3, "softmax"),
    }
    return AEGMM(**{**parts, **changes})


def image_net(**changes):
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, strides=2, padding="same"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(64), layers.Reshape((8, 8, 1))])
    parts = {
        "encoder_net": encoder,
        "decoder_net": decoder,
        "gmm_density_net": mlp(4, 3, "softmax"),
    }
    return AEGMM(**{**parts, **changes})


class ReadyNet(keras.Model):
    """A user's own model that returns whatever a test wants."""

    def __init__(self, output):
        super().__init__()
        self.output_of = output

    def call(self, x):
        return self.output_of(x)


ROW = np.random.default_rng(0).normal(size=(1, 6)).astype("float32")


def ready(x_recon=(6,), z=(3,), gamma=(2,), value=0.5):
    zeros = keras.ops.zeros
    return ReadyNet(lambda x: (zeros((2, *x_recon)), zeros((2, *z)), value + zeros((2, *gamma))))


# Types.


def test_models_of_every_kind_pass():
    checks.check_types({"a": mlp(1, 1), "b": functional(1, 1), "c": Subclassed(1, 1), "d": net()})


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "encoder_net is missing"),
        ("net", "encoder_net is a str"),
        (layers.Dense(2), "encoder_net is a Dense"),
        (lambda x: x, "encoder_net is a function"),
        ([mlp(1, 1)], "encoder_net is a list"),
    ],
)
def test_anything_else_is_a_type_error_that_names_the_argument(value, what):
    with pytest.raises(NetTypeError, match=f"{what}; pass a keras.Model") as raised:
        checks.check_types({"decoder_net": mlp(1, 1), "encoder_net": value})
    assert isinstance(raised.value, TypeError)


# Declared widths.


# Keras's remark on a model that was made with `[inputs]` and is called with `inputs`.
@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
@KINDS
@pytest.mark.parametrize("n_gmm", [None, 3])
def test_nets_that_fit_together_pass(make, n_gmm):
    checks.check_widths(net(make), n_gmm)
    assert checks.probe(net(make), ROW, n_gmm)[2].shape[1] == 3


def test_image_nets_that_fit_together_pass():
    checks.check_widths(image_net(), 3)
    assert checks.probe(image_net(), np.zeros((1, 8, 8, 1), "float32"), 3)[2].shape[1] == 3


@pytest.mark.parametrize("make", [mlp, functional, functional_of_lists], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"decoder_net": (3, 6)},
            "decoder_net takes codes of width 3, but encoder_net returns 2",
        ),
        (
            {"decoder_net": (2, 5)},
            "decoder_net returns rows of width 5, but encoder_net takes 6",
        ),
        (
            {"gmm_density_net": (5, 3, "softmax")},
            r"gmm_density_net takes 5 inputs, but z has 4: 2 from encoder_net and 2 from "
            r"recon_features. Give it Input\(\(4,\)\)",
        ),
        (
            {"gmm_density_net": (4, 2, "softmax")},
            r"returns 2 memberships per row but n_gmm=3: end it with Dense\(3, "
            r"activation='softmax'\) or pass n_gmm=2",
        ),
    ],
)
def test_declared_widths_that_contradict_each_other_are_refused(make, changes, message):
    wrong = net(make, **{name: make(*sizes) for name, sizes in changes.items()})
    with pytest.raises(ConfigurationError, match=message):
        checks.check_widths(wrong, 3)


def test_wider_features_want_a_wider_density_net():
    three = features.concat(features.eucl_cosim_features, features.mean_squared)
    checks.check_widths(net(gmm_density_net=mlp(5, 3, "softmax"), recon_features=three), 3)
    with pytest.raises(ConfigurationError, match="z has 5: 2 from encoder_net and 3 from"):
        checks.check_widths(net(recon_features=three), 3)


def test_a_code_that_is_not_flat_is_refused():
    encoder = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3)])
    message = r"codes of shape \(6, 6, 2\): end it with Flatten\(\)"
    with pytest.raises(ConfigurationError, match=message):
        checks.check_widths(image_net(encoder_net=encoder), 3)


def test_a_reconstruction_of_another_shape_is_refused():
    flat = mlp(2, 64)
    with pytest.raises(ConfigurationError, match=r"width 64, but encoder_net takes \(8, 8, 1\)"):
        checks.check_widths(image_net(decoder_net=flat), 3)


def test_images_of_any_size_are_left_to_the_probe():
    encoder = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            layers.Conv2D(2, 3),
            layers.GlobalAveragePooling2D(),
        ]
    )
    any_size = image_net(encoder_net=encoder)
    checks.check_widths(any_size, 3)
    assert checks.row_shape(any_size) is None
    assert checks.probe(any_size, np.zeros((1, 8, 8, 1), "float32"), 3)[2].shape[1] == 3


@pytest.mark.parametrize("make", [unbuilt, Subclassed], ids=lambda f: f.__name__)
def test_undeclared_widths_are_let_through(make):
    checks.check_widths(net(make, decoder_net=make(2, 5)), 7)


# Rows that the nets take.


def test_the_shape_of_a_row_is_known_where_it_is_declared():
    assert checks.row_shape(net()) == (6,)
    assert checks.row_shape(net(functional_of_lists)) == (6,)
    assert checks.row_shape(image_net()) == (8, 8, 1)
    assert checks.row_shape(functional(6, 2)) == (6,)
    assert checks.row_shape(net(unbuilt)) is None
    assert checks.row_shape(ready()) is None


# What a call returns.


def test_a_ready_net_passes_and_tells_its_number_of_components():
    assert checks.probe(ready(), ROW, None)[2].shape[1] == 2
    assert checks.probe(ready(), ROW, 2)[2].shape[1] == 2
    checks.probe_before_fit(ready(), (6,), 2)


def test_the_probe_changes_no_row():
    row = np.ones((1, 6), dtype="float32")
    checks.probe(ready(), row, None)
    np.testing.assert_array_equal(row, np.ones((1, 6)))


@pytest.mark.parametrize(
    ("output", "what"),
    [(lambda x: (x, x), "2"), (lambda x: x, "returned [A-Za-z]*Tensor"), (lambda x: [x] * 4, "4")],
)
def test_a_ready_net_must_return_three_things(output, what):
    with pytest.raises(ConfigurationError, match=rf"\(x_recon, z, gamma\) .*{what}"):
        checks.probe(ReadyNet(output), ROW, None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (ready(x_recon=(5,)), r"rows of shape \(5,\) for rows of shape \(6,\)"),
        (ready(z=()), r"z and gamma must be \(N, D\) and \(N, K\); the net returns \(2,\)"),
        (ready(gamma=(2, 1)), r"z and gamma must be .* and \(2, 2, 1\)"),
        (ready(gamma=(4,), value=0.25), "returns 4 memberships per row but n_gmm=2"),
        (ready(value=0.7), "rows are not memberships .*softmax"),
        (net(unbuilt, decoder_net=unbuilt(2, 5)), r"rows of shape \(5,\) for rows"),
        (net(Subclassed, decoder_net=Subclassed(2, 1)), r"rows of shape \(1,\) for rows"),
        (net(encoder_net=keras.Sequential([layers.Reshape((3, 2))])), r"codes of shape \(3, 2\)"),
        (net(gmm_density_net=mlp(4, 2, "sigmoid")), "rows are not memberships .*softmax"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        checks.probe(wrong, ROW, 2)


@pytest.mark.parametrize(
    ("gamma", "fine"),
    [
        ([[0.2, 0.8], [1.0, 0.0]], True),
        ([[0.3333, 0.6666]], True),  # rounding, as in float16
        ([[1.2, -0.2]], False),
        ([[0.0, 0.0]], False),
        ([[3.0, 4.0]], False),
        ([[np.nan, np.nan]], True),  # for the training to report, with its cause
    ],
)
def test_memberships_are_distributions(gamma, fine):
    if fine:
        checks.check_memberships(np.array(gamma), mlp(1, 1))
    else:
        with pytest.raises(ConfigurationError, match="sum to 1"):
            checks.check_memberships(np.array(gamma), mlp(1, 1))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_memberships_may_be_off_by_the_rounding_of_their_dtype(dtype):
    logits = np.random.default_rng(0).normal(size=(200, 8)).astype("float32")
    rounded = keras.layers.Softmax(dtype=f"mixed_{dtype}")(logits)
    gamma = keras.ops.convert_to_numpy(keras.ops.cast(rounded, "float32"))
    coarse = keras.Sequential([keras.Input((8,)), layers.Softmax(dtype=f"mixed_{dtype}")])
    checks.check_memberships(gamma, coarse)
    with pytest.raises(ConfigurationError, match="sum to 1"):
        checks.check_memberships(gamma * 0.9, coarse)


# Features.


@pytest.mark.parametrize("shape", [(1,), (6,), (8, 8, 1)])
def test_features_are_counted(shape):
    assert checks.count_features(features.eucl_cosim_features, shape) == 2
    assert checks.count_features(features.euclidean, shape) == 1
    assert checks.count_features(features.concat(*[features.euclidean] * 3), shape) == 3
    numpy_only = lambda x, x_recon: np.zeros((len(np.asarray(x)), 4))  # noqa: E731
    assert checks.count_features(numpy_only, shape) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, x_recon: keras.ops.mean(x, axis=-1),
        lambda x, x_recon: keras.ops.mean(x),
        lambda x, x_recon: x[:1],
        lambda x, x_recon: x[:, :, None],
    ],
    ids=["flat", "scalar", "one row", "too deep"],
)
def test_features_of_another_shape_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=r"for 2 rows; it must return \(2, F\)"):
        checks.count_features(wrong, (6,))
