"""How long a rebuilt layer would compute on one row, before any row goes through it."""

import math
from typing import Any

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.migrate.sizes import Shape, channels_of, window_of

# Products of numbers and their sums, of one row through one net: that of a ResNet-50.
MOST_WORK = 2**32
# How many of them take as long as one value of a pooling's window, and as one of an activation.
_POOLED, _PLAIN = 64, 16
# And as one product of these convolutions, for which there is less tuned code.
_TRANSPOSED, _GROUPED = 2, 4


def work_of(layer: Any, class_name: str, before: Shape, after: Shape) -> int:
    """Products that one row takes, about.

    Parameters
    ----------
    layer
        One that can be rebuilt.
    class_name
        Of the layer.
    before, after
        Shapes of rows in front of the layer and behind it.
    """
    values_in, values_out = math.prod(_sizes(before)), math.prod(_sizes(after))
    work = _PLAIN * max(values_in, values_out)
    window = math.prod(window_of(layer))
    if class_name == "Dense":
        return work + values_in * int(layer.units)
    if class_name.endswith("Transpose"):
        return work + _TRANSPOSED * values_in * window * int(layer.filters)
    if class_name.startswith("Conv"):
        products = values_out * window * (channels_of(layer, before) // int(layer.groups))
        return work + (products if layer.groups == 1 else _GROUPED * products)
    return work + (_POOLED * values_out * window if window_of(layer) else 0)


def check_work(work: int, source: str) -> None:
    """Make sure that a net computes for seconds at most.

    Raises
    ------
    MigrationError
        It would take more than `MOST_WORK`.
    """
    if work > MOST_WORK:
        raise MigrationError(
            f"{source}: up to its layers so far, a row takes the work of {work:,} products; "
            f"{MOST_WORK:,} can be. Build the net again and fit it here."
        )


def _sizes(shape: Shape) -> list[int]:
    return [size or 0 for size in shape[1:]]
