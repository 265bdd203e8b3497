"""A plain autoencoder: how far is a row from its reconstruction?"""

import keras
from keras import ops

from aegmm_detect.detector.nets import NetDetector
from aegmm_detect.training.objective import Evaluated, Objective


class PlainAutoencoder(NetDetector):
    """Scores by the mean squared error of a small autoencoder."""

    def build(self, row_shape, seed):
        (width,) = row_shape
        seeds = [None] * 2 if seed is None else [seed, seed + 1]
        init = [keras.initializers.GlorotUniform(own) for own in seeds]
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input(row_shape),
                layers.Dense(max(1, width // 2), "tanh", kernel_initializer=init[0]),
                layers.Dense(width, kernel_initializer=init[1]),
            ]
        )

    def objective(self, rows, config):
        return Objective(("loss",), mean_error, key="mean squared error")

    @staticmethod
    def row_scores(net, arrays, rows):
        return ops.mean(squared_errors(net, arrays, rows), axis=-1)


def squared_errors(net, arrays, rows):
    return ops.square(rows - net(rows, training=False))


def mean_error(net, arrays, batch, progress, training):
    recon = net(batch, training=training)
    return Evaluated({"loss": ops.mean(ops.square(batch - recon))}, (batch, recon))


PlainAutoencoder.row_contributions = staticmethod(squared_errors)
