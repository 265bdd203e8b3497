"""A plain autoencoder: how far is a row from its reconstruction?"""

import keras
from keras import ops

from aegmm_detect.detector.nets import NetDetector
from aegmm_detect.training.objective import Evaluated, Objective


def squared_errors(net, arrays, rows):
    return ops.square(rows - net(rows, training=False))


def mean_error(net, arrays, batch, progress, training):
    recon = net(batch, training=training)
    return Evaluated({"loss": ops.mean(ops.square(batch - recon))}, (batch, recon))


class PlainAutoencoder(NetDetector):
    """Scores by the mean squared error of a small autoencoder."""

    row_contributions = staticmethod(squared_errors)

    def build(self, row_shape, seed):
        (width,) = row_shape
        start = keras.initializers.GlorotUniform
        seeds = (None, None) if seed is None else (seed, seed + 1)
        hidden = keras.layers.Dense(width // 2 + 1, "tanh", kernel_initializer=start(seeds[0]))
        output = keras.layers.Dense(width, kernel_initializer=start(seeds[1]))
        return keras.Sequential([keras.Input(row_shape), hidden, output])

    def objective(self, net, rows, config):
        return Objective(("loss",), mean_error, key=mean_error)

    @staticmethod
    def row_scores(net, arrays, rows):
        return ops.mean(squared_errors(net, arrays, rows), axis=-1)
