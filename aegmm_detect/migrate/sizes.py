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
# With the zeros that windows at the edges of a row cover.
_MOST_PADDED = 4 * MOST_VALUES

Shape = tuple[int | None, ...]


def check_row(shape: Shape, source: str) -> None:
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
    shape: Shape,
    stored: dict[str, Array],
    source: str,
) -> Shape:
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
        Weights, windows or rows would be larger, or weights are missing or left over.
    """
    needed = _weights(layer, class_name, shape)
    found = {name: tuple(value.shape) for name, value in stored.items()}
    if needed != found:
        raise MigrationError(
            f"{source} has weights of shapes {str(found)[:300]}; needed are {str(needed)[:300]}."
        )
    _check_windows(layer, shape, source)
    after = tuple(layer.compute_output_shape(shape))
    check_row(after, source)
    return after


def channels_of(layer: Any, shape: Shape) -> int:
    """Values at each place of a row."""
    return shape[-1 if layer.data_format == "channels_last" else 1] or 0


def window_of(layer: Any) -> tuple[int, ...]:
    """What a layer looks at from each place, by axis; empty for one without windows."""
    size = getattr(layer, "kernel_size", getattr(layer, "pool_size", ()))
    return (size,) if isinstance(size, int) else tuple(size)


def _weights(layer: Any, class_name: str, shape: Shape) -> dict[str, tuple[Any, ...]]:
    """Shapes of a layer's weights, by Keras's names of them."""
    if class_name in ("BatchNormalization", "LayerNormalization"):
        axes = (layer.axis,) if isinstance(layer.axis, int) else layer.axis
        sizes = tuple(shape[axis] for axis in axes)
        names = [*(["gamma"] if layer.scale else []), *(["beta"] if layer.center else [])]
        if class_name == "BatchNormalization":
            names += ["moving_mean", "moving_variance"]
        return dict.fromkeys(names, sizes)
    if class_name == "Dense":
        kernel: tuple[Any, ...] = (shape[-1], layer.units)
        width = layer.units
    elif class_name.startswith("Conv"):
        kernel, width = _convolution(layer, class_name, shape), layer.filters
    else:
        return {}
    return {"kernel": kernel, **({"bias": (width,)} if layer.use_bias else {})}


def _convolution(layer: Any, class_name: str, shape: Shape) -> tuple[Any, ...]:
    channels = channels_of(layer, shape)
    if class_name.endswith("Transpose"):
        return *layer.kernel_size, layer.filters, channels
    return *layer.kernel_size, channels // layer.groups, layer.filters


def _check_windows(layer: Any, shape: Shape, source: str) -> None:
    """What a window covers is filled up with zeros where a row is shorter."""
    size = window_of(layer)
    if not size:
        return
    steps = getattr(layer, "dilation_rate", (1,) * len(size))
    steps = (steps,) * len(size) if isinstance(steps, int) else steps
    covered = [step * (length - 1) + 1 for step, length in zip(steps, size, strict=True)]
    first = 1 if layer.data_format == "channels_last" else 2
    places = shape[first : first + len(size)]
    padded = channels_of(layer, shape) * math.prod(
        (place or 0) + more for place, more in zip(places, covered, strict=True)
    )
    if padded > _MOST_PADDED:
        raise MigrationError(
            f"{source} has windows of {str(covered)[:100]}, which make {padded:,} values of a row; "
            f"{_MOST_PADDED:,} can be."
        )
