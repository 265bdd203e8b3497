"""Arrays of a saved detector, checked one by one, because a file may hold anything."""

from collections.abc import Mapping

import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.nets.normalizer import Normalizer
from aegmm_detect.row_sketch import RowSketch
from aegmm_detect.types import Array

# Upper limit for the size of a sketch of training rows; real ones are smaller.
_MOST_HASHES = 2**32


def stored_rows(normalizer: Normalizer | None, trained_on: RowSketch | None) -> dict[str, Array]:
    """Arrays, by name, from which `take_normalizer` and `take_sketch` of `StoredArrays` read."""
    arrays: dict[str, Array] = {}
    if normalizer is not None:
        arrays["normalizer.offset"] = normalizer.offset
        arrays["normalizer.scale"] = normalizer.scale
        arrays["normalizer.squash"] = np.array(normalizer.squash)
    if trained_on is not None:
        arrays["trained_on.hashes"] = trained_on.hashes
        arrays["trained_on.most"] = np.array(trained_on.most, dtype=np.float64)
    return arrays


class StoredArrays:
    """Arrays that are taken and checked one by one; a wrong one raises `ArtefactError`.

    Parameters
    ----------
    arrays
        Arrays by name.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._left = dict(arrays)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def shape(self, name: str, n_dim: int) -> tuple[int, ...]:
        """Shape of an existing array, which must have `n_dim` axes, none of length 0."""
        shape = self._left[name].shape
        if len(shape) != n_dim or 0 in shape:
            raise ArtefactError(f"{name} has shape {shape}; it must have {n_dim} axes.")
        return shape

    def take(self, name: str, *shape: int | None) -> Array:
        """Take an array, which must be finite and have this shape; None stands for any length."""
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
        """Take an array as `take` does; its numbers must also be positive."""
        array = self.take(name, *shape)
        if not (array > 0.0).all():
            raise ArtefactError(f"{name} holds numbers that are not positive.")
        return array

    def take_rest(self, prefix: str) -> dict[str, Array]:
        """Take all arrays that are left. Names must start with `prefix`, which is removed."""
        names = [name for name in self._left if name.startswith(prefix)]
        found = {name.removeprefix(prefix): self._any_shape(name) for name in names}
        self.refuse_rest()
        return found

    def _any_shape(self, name: str) -> Array:
        return self.take(name, *self._left[name].shape)

    def take_sketch(self) -> RowSketch | None:
        """Take the sketch of the training rows; None if there is none."""
        if "trained_on.hashes" not in self:
            return None
        hashes, most = self.take("trained_on.hashes", None), self.take_positive("trained_on.most")
        if hashes.dtype != np.uint64 or not len(hashes) <= most <= _MOST_HASHES:
            raise ArtefactError("trained_on holds no sample of hashes.")
        return RowSketch(hashes, int(most))

    def take_normalizer(self, row_shape: tuple[int, ...]) -> Normalizer | None:
        """Take the scaling of rows; None if there is none."""
        if "normalizer.offset" not in self:
            return None
        return Normalizer(
            self.take("normalizer.offset", *row_shape),
            self.take_positive("normalizer.scale", *row_shape),
            bool(self.take("normalizer.squash")),
        )

    def refuse_rest(self) -> None:
        """Raise if any arrays were not taken."""
        if self._left:
            raise ArtefactError(f"The saved state holds {sorted(self._left)}, unknown here.")
