"""How a function can be compiled, and whether gradients flow through it."""

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

# How the same function is run; what it computes is the same but for rounding.
Mode = Literal["xla", "graph", "eager"]
# How programs run that score or explain rows. A plain graph takes a quarter of the time to compile
# and ten times as long for a row: tests that are not about scoring set it.
SCORING: dict[str, Mode] = {"mode": "xla"}
# Programs that this process has compiled, by mode: they take most of the time of many fits.
compiled_so_far: collections.Counter[Mode] = collections.Counter()


def device_of(layer: keras.layers.Layer) -> str | None:
    """The device that holds the weights of `layer`, for `tf.device`; None where it has none.

    Programs have to run there, and would not within a caller's scope of another device.
    """
    return next((str(variable.value.device) for variable in layer.variables), None)


def concrete(function: Any, *args: Any) -> Any:
    """The concrete function of a `tf.function` for `args`, whose graph goes when it goes.

    A concrete function skips the search for the right trace, a third of a short call.
    """
    traced = function.get_concrete_function(*args)
    _forget_gradients(traced.graph)
    return traced


def called_flat(traced: Any) -> Callable[..., Any]:
    """`traced`, a concrete function of tensors, without a look at their names and types.

    That takes half of the time of a row's score, 0.1 ms, and nothing else is ever passed.
    """
    function = getattr(traced, "inference_fn", None)
    if not hasattr(function, "call_preflattened") or traced.captured_inputs:
        return traced
    # Through `traced`, as TensorFlow drops the function when that goes.
    return lambda *tensors: traced.inference_fn.call_preflattened(tensors)


def _forget_gradients(graph: tf.Graph) -> None:
    """Let go of the custom gradients of `graph`, such as those of Keras's optimizers and of silu.

    TensorFlow registers them for the life of the process, and each holds its whole graph: some
    10 MB a fit. They are used while a program is traced, and no program is differentiated later.
    """
    registered = getattr(getattr(ops, "gradient_registry", None), "_registry", {})
    definition = graph.as_graph_def()
    nodes = [definition.node, *(each.node_def for each in definition.library.function)]
    for node in itertools.chain.from_iterable(nodes):
        if "_gradient_op_type" in node.attr:
            registered.pop(node.attr["_gradient_op_type"].s.decode(), None)


def refuses_graph(function: Callable[..., Any], *args: Any) -> str | None:
    """None if `function` can be traced for arguments like `args`, else the reason why not.

    NumPy-only functions fail here: a graph's tensors have no values yet.
    """
    specs = [tf.TensorSpec((None, *arg.shape[1:]), arg.dtype) for arg in args]
    try:
        concrete(tf.function(function, autograph=False), *specs)
    except (NotImplementedError, TypeError, AttributeError, ValueError) as error:
        return one_line(error)
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


def first_call(
    trace: Callable[[Mode], Callable[..., Any]], mode: Mode, *args: Any
) -> tuple[Any, Callable[..., Any], Mode]:
    """Compile and call for the first time; where XLA has no kernel, as a plain graph.

    Parameters
    ----------
    trace
        Mode -> program.
    mode
        What to try.
    args
        Of the program. Later calls must have the same shapes, or they may fail without the
        fallback.

    Returns
    -------
    The result, the program to go on with, and its mode.
    """
    program = trace(mode)
    compiled_so_far[mode] += 1
    try:
        return program(*args), program, mode
    except tf.errors.OpError as error:
        if mode != "xla":
            raise
        # XLA refuses a program before running any of it, so it can be run again.
        logger.warning(
            "XLA cannot compile these nets; they run as a plain graph, which is slower: %s",
            one_line(error),
        )
    program = trace("graph")
    compiled_so_far["graph"] += 1
    return program(*args), program, "graph"
