"""How large the weights and the rows of a layer would be, before any of them is made.

A number in a file of a few kilobytes can ask for a net of any size.
"""

import math
from typing import Any

import keras

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.types import Array

# Values of a row, before and after any layer: an image of a megapixel in four colours.
MOST_VALUES = 2**22

_Shape = tuple[int | None, ...]


def check_row(shape: _Shape, source: str) -> None:
    """Make sure that rows fit in memory.

    Raises
    ------
    MigrationError
        They have more values than `MOST_VALUES`, or a size that is not fixed.
    """
    sizes = shape[1:]
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise MigrationError(f"{source}: its rows would have the shape {str(sizes)[:200]}.")
    if math.prod(size or 0 for size in sizes) > MOST_VALUES:
        raise MigrationError(
            f"{source}: its rows would have the shape {str(sizes)[:200]}; at most {MOST_VALUES:,} "
            "values can be carried over."
        )


def check_sizes(
    layer: keras.layers.Layer,
    class_name: str,
    shape: _Shape,
    stored: dict[str, Array],
    source: str,
) -> _Shape:
    """Shape of what comes out of a layer, if its weights have the sizes of those in the file.

    Parameters
    ----------
    layer
        Without weights.
    class_name
        One of those that can be rebuilt.
    shape
        Of what goes in, rows first.
    stored
        Weights in the file, by name.
    source
        For errors.

    Raises
    ------
    MigrationError
        Kernel, window or rows would be larger.
    """
    needed = _kernel(layer, class_name, shape)
    found = stored["kernel"].shape if "kernel" in stored else None
    if needed != found:
        raise MigrationError(
            f"{source} has a kernel of shape {found}; needed is {str(needed)[:200]}."
        )
    _check_windows(layer, source)
    after = tuple(layer.compute_output_shape(shape))
    check_row(after, source)
    return after


def _kernel(layer: Any, class_name: str, shape: _Shape) -> tuple[Any, ...] | None:
    if class_name == "Dense":
        return shape[-1], layer.units
    if not class_name.startswith("Conv"):
        return None
    channels = shape[-1 if layer.data_format == "channels_last" else 1] or 0
    if class_name.endswith("Transpose"):
        return *layer.kernel_size, layer.filters, channels
    return *layer.kernel_size, channels // layer.groups, layer.filters


def _check_windows(layer: Any, source: str) -> None:
    """What a window covers is filled up with zeros where a row is shorter."""
    size = getattr(layer, "kernel_size", getattr(layer, "pool_size", ()))
    size = (size,) if isinstance(size, int) else size
    steps = getattr(layer, "dilation_rate", (1,) * len(size))
    steps = (steps,) * len(size) if isinstance(steps, int) else steps
    covered = math.prod(step * (length - 1) + 1 for step, length in zip(steps, size, strict=True))
    if covered > MOST_VALUES:
        raise MigrationError(f"{source} has windows of {covered:,} values; {MOST_VALUES:,} can be.")
