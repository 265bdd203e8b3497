"""Arrays of a saved detector, taken one by one and checked: a file may say anything."""

from collections.abc import Mapping

import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.types import Array


class StoredArrays:
    """Arrays to be taken one by one, each with the shape that it must have.

    Parameters
    ----------
    arrays
        By name. What is wrong with one raises `ArtefactError`.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._left = dict(arrays)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def shape(self, name: str, n_dim: int) -> tuple[int, ...]:
        """Of an array that is there, with `n_dim` axes, none of them empty."""
        shape = self._left[name].shape
        if len(shape) != n_dim or 0 in shape:
            raise ArtefactError(f"{name} has shape {shape}; it must have {n_dim} axes.")
        return shape

    def take(self, name: str, *shape: int | None) -> Array:
        """An array of finite numbers and that shape; None stands for any length."""
        if name not in self._left:
            raise ArtefactError(f"The saved state lacks {name}.")
        array = self._left.pop(name)
        if len(array.shape) != len(shape) or any(
            want not in (None, got) for got, want in zip(array.shape, shape, strict=True)
        ):
            raise ArtefactError(f"{name} has shape {array.shape}; {shape} fits.")
        if not np.isfinite(array).all():
            raise ArtefactError(f"{name} is not finite.")
        return array

    def take_positive(self, name: str, *shape: int | None) -> Array:
        """The same, of positive numbers."""
        array = self.take(name, *shape)
        if not (array > 0.0).all():
            raise ArtefactError(f"{name} holds numbers that are not positive.")
        return array

    def refuse_rest(self) -> None:
        """Raise if any are left that nobody has taken."""
        if self._left:
            raise ArtefactError(f"The saved state holds {sorted(self._left)}, unknown here.")
