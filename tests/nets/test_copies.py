"""Nets to train are others than the user's."""

import keras
import numpy as np
import pytest

from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.nets.copies import net_to_train

# Keras copies a net through the bytes of a saved one, and NumPy warns of how it reads the weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


def functional():
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(4, "tanh")(inputs)
    return keras.Model(inputs, keras.layers.Concatenate()([hidden, inputs]))


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_a_copy_computes_the_same_with_weights_of_its_own(kind, make_nets, normal_rows):
    net = make_nets()["encoder_net"] if kind == "sequential" else functional()
    copy = net_to_train("encoder_net", net, 6)
    before = np.asarray(net(normal_rows))
    np.testing.assert_array_equal(copy(normal_rows), before)
    copy.set_weights([weight + 1.0 for weight in copy.get_weights()])
    assert (np.asarray(copy(normal_rows)) != before).any()
    np.testing.assert_array_equal(net(normal_rows), before)


def test_a_net_that_is_not_built_yet_stays_so():
    net = keras.Sequential([keras.layers.Dense(2)])
    copy = net_to_train("encoder_net", net, 3)
    copy(np.zeros((1, 3)))
    assert copy is not net
    assert copy.built
    assert not net.built


def test_a_function_is_called_with_the_width_and_all_else_passes():
    assert net_to_train("encoder_net", lambda n: f"net of {n}", 5) == "net of 5"
    assert net_to_train("encoder_net", None, 5) is None


class Unregistered(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def test_what_keras_cannot_copy_is_refused_by_name():
    net = Unregistered()
    net(np.zeros((1, 3)))
    with pytest.raises(ConfigurationError, match=r"^decoder_net cannot be copied \(.*function of"):
        net_to_train("decoder_net", net, 3)
