"""Can a function run inside a compiled graph, and do gradients flow through it?"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def refuses_graph(function: Callable[..., Any], *args: Any) -> str | None:
    """None if `function` can be traced for arguments like `args`, else the reason why not.

    NumPy-only functions fail here: a graph's tensors have no values yet.
    """
    specs = [tf.TensorSpec((None, *arg.shape[1:]), arg.dtype) for arg in args]
    try:
        tf.function(function, autograph=False).get_concrete_function(*specs)
    except (NotImplementedError, TypeError, AttributeError, ValueError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return None


def has_gradient(function: Callable[..., Any], *args: Any) -> bool:
    """Whether `function`, run eagerly, depends on any of `args` in a way that can be derived."""
    tensors = [tf.convert_to_tensor(arg) for arg in args]
    with tf.GradientTape() as tape:
        for tensor in tensors:
            tape.watch(tensor)
        value = function(*tensors)
        if not keras.ops.is_tensor(value):
            return False
        total = tf.reduce_sum(value)
    return any(gradient is not None for gradient in tape.gradient(total, tensors))


def compiled(
    function: Callable[[Any], Any], row_shape: tuple[int, ...], eager: bool = False
) -> Callable[[Any], Any]:
    """`function` of float32 batches (N, *row_shape) as one graph for every N, or as it is."""
    if eager:
        return function
    # Traced here and once: TensorFlow warns users whose program fits several detectors otherwise.
    return tf.function(function, autograph=False).get_concrete_function(
        tf.TensorSpec((None, *row_shape), "float32")
    )
