"""Which rows were seen? A sample of their hashes, in memory that does not grow with them."""

import dataclasses
import hashlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aegmm_detect.sizes import how_many_fit
from aegmm_detect.types import Array

# Half a megabyte; all rows of a fit of that many, 6.5 % of a million.
_KEPT = 65_536

Hashes = npt.NDArray[np.uint64]


class Overlap(NamedTuple):
    """How many rows of a batch were seen before."""

    seen: int
    compared: int  # rows of which one can tell: those whose hash is in the sampled range


@dataclasses.dataclass(frozen=True, eq=False)
class RowSketch:
    """The smallest hashes of all rows seen: a random sample of the different ones among them.

    A row that was seen is found whenever its hash is in the range that is kept, which is known; so
    shares of seen rows can be told for any other rows. Rows are compared as float32.

    Parameters
    ----------
    hashes
        Sorted, uint64 (M,), M up to `most`; those of all rows if M is smaller.
    most
        Hashes that are kept.
    """

    hashes: Hashes = dataclasses.field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    most: int = _KEPT

    def overlap(self, batch: Array) -> Overlap:
        """How many rows of `batch` (N, ...) were seen, and of how many one can tell."""
        compared = self._in_range(row_hashes(batch))
        return Overlap(int(np.isin(compared, self.hashes).sum()), len(compared))

    def merge(self, other: "RowSketch") -> "RowSketch":
        """Of the rows of both, where both keep as many."""
        return self._with([other.hashes])

    def _in_range(self, hashes: Hashes) -> Hashes:
        full = len(self.hashes) == self.most
        return hashes[hashes <= self.hashes[-1]] if full else hashes

    def _with(self, hashes: list[Hashes]) -> "RowSketch":
        merged = np.unique(np.concatenate([self.hashes, *hashes]))
        return dataclasses.replace(self, hashes=merged[: self.most])


class RowSketchFit:
    """A sketch in the making.

    Parameters
    ----------
    start
        What was seen before.
    """

    def __init__(self, start: RowSketch | None = None) -> None:
        self._sketch = RowSketch() if start is None else start
        self._waiting: list[Hashes] = []
        self._n_waiting = 0

    def update(self, batch: Array) -> None:
        """See the rows of `batch` (N, ...), too."""
        hashes = self._sketch._in_range(row_hashes(batch))
        self._waiting.append(hashes)
        self._n_waiting += len(hashes)
        # Merging sorts all that is kept, which would be much for every small batch of a stream.
        if self._n_waiting >= self._sketch.most:
            self.finish()

    def finish(self) -> RowSketch:
        """The sketch of all rows seen."""
        self._sketch = self._sketch._with(self._waiting)
        self._waiting, self._n_waiting = [], 0
        return self._sketch


def row_hashes(batch: Array) -> Hashes:
    """A 64-bit hash of each row (N, ...) as float32: uint64 (N,)."""
    if not batch.size:
        return np.empty(0, dtype=np.uint64)
    at_once = how_many_fit(batch.shape[1:], len(batch))
    parts = [_hashes(batch[i : i + at_once]) for i in range(0, len(batch), at_once)]
    return np.concatenate(parts)


def _hashes(batch: Array) -> Hashes:
    with np.errstate(over="ignore"):
        flat = np.asarray(batch, dtype=np.float32).reshape(len(batch), -1)
    # Adding zero makes -0.0 the 0.0 that it equals.
    rows = np.ascontiguousarray(flat + np.float32(0.0))
    as_bytes = rows.view(np.dtype((np.void, rows.strides[0])))[:, 0]
    digests = b"".join([hashlib.blake2b(row, digest_size=8).digest() for row in as_bytes])
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
