"""Trace and compile functions, and test whether gradients flow through them."""

import collections
import itertools
import logging
from collections.abc import Callable
from typing import Any, Literal

import keras
import tensorflow as tf
from tensorflow.python.framework import ops

from aegmm_detect.listing import one_line

logger = logging.getLogger(__name__)

# How a function runs. Results are the same except for rounding.
Mode = Literal["xla", "graph", "eager"]
# Mode of programs that score or explain rows. A plain graph compiles in a quarter of the time, but
# takes ten times as long for a row; tests that are not about scoring use it.
SCORING: dict[str, Mode] = {"mode": "xla"}
# Number of programs compiled in this process, by mode. Compiling takes most of the time of many
# fits.
compiled_so_far: collections.Counter[Mode] = collections.Counter()


def device_of(layer: keras.layers.Layer) -> str | None:
    """The device that holds the weights of `layer`, for `tf.device`; None if it has no weights.

    Programs must run there, even if the caller has set another device.
    """
    return next((str(variable.value.device) for variable in layer.variables), None)


def concrete(function: Any, *args: Any) -> Any:
    """The concrete function of a `tf.function` for `args`; its graph is freed with it.

    A concrete function does not search for the right trace, which takes a third of a short call.
    """
    traced = function.get_concrete_function(*args)
    _forget_gradients(traced.graph)
    return traced


def called_flat(traced: Any) -> Callable[..., Any]:
    """Return `traced`, a concrete function of tensors, without checks of its arguments.

    The checks take 0.1 ms, half of the time to score a row, and callers always pass tensors.
    """
    function = getattr(traced, "inference_fn", None)
    if not hasattr(function, "call_preflattened") or traced.captured_inputs:
        return traced
    # Keep a reference to `traced`: TensorFlow deletes the function together with it.
    return lambda *tensors: traced.inference_fn.call_preflattened(tensors)


def _forget_gradients(graph: tf.Graph) -> None:
    """Unregister the custom gradients of `graph`, such as those of Keras's optimizers and of silu.

    TensorFlow registers them until the process ends, and each holds its whole graph: about 10 MB
    per fit. They are needed only while a program is traced; no program is differentiated later.
    """
    registered = getattr(getattr(ops, "gradient_registry", None), "_registry", {})
    definition = graph.as_graph_def()
    nodes = [definition.node, *(each.node_def for each in definition.library.function)]
    for node in itertools.chain.from_iterable(nodes):
        if "_gradient_op_type" in node.attr:
            registered.pop(node.attr["_gradient_op_type"].s.decode(), None)


def refuses_graph(function: Callable[..., Any], *args: Any) -> str | None:
    """None if `function` can be traced for arguments like `args`, else the reason why not.

    Functions that use NumPy fail here, because tensors in a graph have no values yet.
    """
    specs = [tf.TensorSpec((None, *arg.shape[1:]), arg.dtype) for arg in args]
    try:
        concrete(tf.function(function, autograph=False), *specs)
    except (NotImplementedError, TypeError, AttributeError, ValueError) as error:
        return one_line(error)
    return None


def has_gradient(function: Callable[..., Any], *args: Any) -> bool:
    """Whether a gradient flows through `function`, run eagerly, to any of `args`."""
    tensors = [tf.convert_to_tensor(arg) for arg in args]
    with tf.GradientTape() as tape:
        for tensor in tensors:
            tape.watch(tensor)
        value = function(*tensors)
        if not keras.ops.is_tensor(value):
            return False
        total = tf.reduce_sum(value)
    return any(gradient is not None for gradient in tape.gradient(total, tensors))


def first_call(
    trace: Callable[[Mode], Callable[..., Any]], mode: Mode, *args: Any
) -> tuple[Any, Callable[..., Any], Mode]:
    """Compile a program and call it. If XLA has no kernel for it, use a plain graph.

    Parameters
    ----------
    trace
        Function: mode -> program.
    mode
        The mode to try first.
    args
        Arguments of the program. Later calls must have the same shapes: for other shapes XLA may
        fail, and then nothing falls back to a plain graph.

    Returns
    -------
    The result, the program for later calls, and its mode.
    """
    program = trace(mode)
    compiled_so_far[mode] += 1
    try:
        return program(*args), program, mode
    except tf.errors.OpError as error:
        if mode != "xla":
            raise
        # XLA raises before it runs any part of the program, so it is safe to run it again.
        logger.warning(
            "XLA cannot compile these nets; they run as a plain graph, which is slower: %s",
            one_line(error),
        )
    program = trace("graph")
    compiled_so_far["graph"] += 1
    return program(*args), program, "graph"
