"""Dropout whose random numbers XLA makes quickly."""

import keras
import tensorflow as tf

from aegmm_detect.programs.structure import shared_class
from aegmm_detect.types import Tensor


def next_seed(generator: keras.random.SeedGenerator) -> Tensor:
    """A seed for TensorFlow's stateless random numbers, another one each time."""
    # Counts up. The unordered sequence would come round after 1,486 masks.
    return tf.cast(tf.math.floormod(generator.next(), tf.int32.max - 1), "int32")


@shared_class
@keras.saving.register_keras_serializable("aegmm_detect")
class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout` with the Philox generator named instead of left to the compiler.

    Left to choose, XLA on CPUs takes a generator that needs 3 ms for a 512 x 10 mask, more than
    the rest of a training step; Philox needs a tenth of that.
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Drop units in training; the identity otherwise."""
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return tf.zeros_like(inputs)
        seed = next_seed(self.seed_generator)
        noise_shape = None
        if self.noise_shape is not None:
            sizes = tf.shape(inputs)
            noise_shape = [sizes[i] if n is None else n for i, n in enumerate(self.noise_shape)]
        return tf.nn.experimental.stateless_dropout(
            inputs, rate=self.rate, seed=seed, rng_alg="philox", noise_shape=noise_shape
        )
