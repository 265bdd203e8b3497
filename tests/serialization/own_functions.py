"""Functions and layers as users write them, many of them called like Keras's."""

import keras
import numpy as np
from keras import ops

_register = keras.saving.register_keras_serializable("own_functions")


def relu(x):
    return ops.sin(3.0 * x)


def tanh(x):
    return x * x


def gelu(x):
    return ops.cos(x)


def leaky_relu(x):
    return 2.0 * x


def softmax(x):
    return ops.softmax(2.0 * x)


def exp(x):
    return ops.exp(-ops.square(x))


@_register
def silu(x):
    return ops.arctan(x)


@_register
def mine(x):
    return ops.arcsinh(x)


UNREGISTERED = (relu, tanh, gelu, leaky_relu, softmax, exp)
REGISTERED = (silu, mine)


def other_relu():
    def relu(x):
        return x

    return relu


@keras.saving.register_keras_serializable("own_functions", name="taken")
def replaced(x, x_recon=None):
    return x


@keras.saving.register_keras_serializable("own_functions", name="taken")
def replacing(x, x_recon=None):
    return 2.0 * x


def some_start(shape, dtype=None):
    return ops.full(shape, 0.25, dtype=dtype)


def some_cost(weights):
    return 0.01 * ops.sum(ops.abs(weights))


def some_bound(weights):
    return ops.clip(weights, -0.5, 0.5)


def largest(x, x_recon):
    return ops.max(ops.abs(x - x_recon), axis=-1, keepdims=True)


@_register
def registered_largest(x, x_recon):
    return largest(x, x_recon)


def eucl_cosim_features(x, x_recon):
    return ops.concatenate([largest(x, x_recon), largest(x, -x_recon)], axis=-1)


class Callable:
    def __call__(self, x):
        return x


@_register
class Applied(keras.layers.Layer):
    """Keeps a function under another name than that of its argument."""

    def __init__(self, function, **settings):
        super().__init__(**settings)
        self.kept = keras.activations.get(function)

    def call(self, x):
        return self.kept(x)

    def get_config(self):
        written = keras.saving.serialize_keras_object(self.kept)
        return {**super().get_config(), "function": written}


class Silent(keras.layers.Layer):
    """Takes an argument that no configuration can hold, and has no get_config."""

    def __init__(self, factor):
        super().__init__()
        self.factor = np.asarray(factor)

    def call(self, x):
        return x * self.factor


class Plain(keras.layers.Layer):
    """Neither registered nor with a get_config: Keras writes down its plain arguments."""

    def __init__(self, factor=1.0, **settings):
        super().__init__(**settings)
        self.factor = factor

    def call(self, x):
        return x * self.factor


@_register
class Nameless(keras.layers.Layer):
    """Takes no further arguments, though its get_config has some."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@_register
class Forgetful(keras.layers.Layer):
    """Its get_config leaves out an argument that has a default."""

    def __init__(self, factor=1.0, **settings):
        super().__init__(**settings)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return super().get_config()


class Undescribed(keras.Model):
    """A ready model with an argument that no configuration can hold."""

    def __init__(self, width, extra=np.ones(2)):  # noqa: B008
        super().__init__()
        self.encode, self.decode = keras.layers.Dense(2), keras.layers.Dense(width)
        self.assign = keras.layers.Dense(2, "softmax")
        self.extra = extra

    def call(self, x):
        z = self.encode(x)
        return self.decode(z), z, self.assign(z)
