"""Programs give back what they took."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from aegmm_detect.programs.tracing import concrete


def _trained(activation):
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation)])
    optimizer = keras.optimizers.Adam()
    optimizer.build(net.trainable_variables)

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(net(x))
        optimizer.apply(tape.gradient(loss, net.trainable_variables))
        return loss

    return step


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_a_graph_goes_with_its_program(activation, loop):
    """Though Keras's optimizers and some activations have custom gradients, which are kept."""
    step = _trained(activation)

    def repeated(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, _: (i + 1, step(x)), (0, 0.0))[1]

    function = tf.function(repeated if loop else step, autograph=False)
    traced = concrete(function, tf.TensorSpec((5, 3), tf.float32))
    assert np.isfinite(traced(tf.ones((5, 3))))
    graph = weakref.ref(traced.graph)
    del traced, function
    gc.collect()
    assert graph() is None
