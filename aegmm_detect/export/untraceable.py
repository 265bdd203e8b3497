"""Which part of a detector's nets makes no graph?"""

from typing import Any

import keras
import tensorflow as tf

from aegmm_detect.programs.tracing import refuses_graph


def untraceable(net: Any) -> str | None:
    """Name of the innermost layer or net that cannot be traced; None if all can be.

    Then it is a function between the nets, such as `recon_features`.
    """
    for part in getattr(net, "layers", ()):
        if inner := untraceable(part):
            return inner
        try:
            shape = part.input.shape
        except (AttributeError, ValueError):  # of several inputs, of none, or used twice
            continue
        rows = tf.zeros([size or 1 for size in shape], part.input.dtype)
        if refuses_graph(lambda x, part=part: part(x, training=False), rows):
            kind = "net" if isinstance(part, keras.Model) else "layer"
            return f"the {kind} {part.name!r}"
    return None
