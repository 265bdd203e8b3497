"""Tables of a FlatBuffer, every place in it checked against the end of the file.

The reader that LiteRT ships believes them: a wrong place makes it read from anywhere in the file, a
wrong length count to four billion.
"""

import struct
from typing import NamedTuple

import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.types import Array

# Tables of a file. The largest export of the tests has 10,000.
_MOST_TABLES = 500_000


class Buffer:
    """A FlatBuffer in memory."""

    def __init__(self, content: bytes, mark: bytes) -> None:
        if content[4:8] != mark:
            raise ArtefactError("it does not start as such a file does")
        self.content = content
        self._left = _MOST_TABLES

    def root(self) -> "Table":
        """The outermost table."""
        return self.table(self.number(0, "I"))

    def number(self, at: int, letter: str) -> int:
        """The number of the type `letter` of `struct` at a place."""
        if not 0 <= at <= len(self.content) - struct.calcsize(letter):
            raise ArtefactError("it is cut short, or points outside itself")
        value: int = struct.unpack_from(f"<{letter}", self.content, at)[0]
        return value

    def table(self, at: int) -> "Table":
        """The table at a place."""
        self._left -= 1
        if self._left < 0:
            raise ArtefactError(f"it has more than {_MOST_TABLES:,} tables")
        head = at - self.number(at, "i")
        head_size, size = self.number(head, "H"), self.number(head + 2, "H")
        inside = head + head_size <= len(self.content) and at + size <= len(self.content)
        if head_size < 4 or head_size % 2 or size < 4 or not inside:
            raise ArtefactError("it has an invalid table")
        return Table(self, at, head, (head_size - 4) // 2, size)


class Table(NamedTuple):
    """One table; its fields are counted from 0."""

    buffer: Buffer
    at: int
    head: int
    n_fields: int
    size: int

    def place(self, field: int, size: int) -> int:
        """Where a field of that size is; 0 if it is absent."""
        if field >= self.n_fields:
            return 0
        offset = self.buffer.number(self.head + 4 + 2 * field, "H")
        if offset and not 4 <= offset <= self.size - size:
            raise ArtefactError("it has a field outside its table")
        return self.at + offset if offset else 0

    def scalar(self, field: int, letter: str) -> int:
        """A number; 0 if it is absent."""
        place = self.place(field, struct.calcsize(letter))
        return self.buffer.number(place, letter) if place else 0

    def has(self, *fields: int) -> bool:
        """Whether any of them is there."""
        return any(self.place(field, 1) for field in fields)

    def _target(self, field: int) -> int:
        place = self.place(field, 4)
        return place + self.buffer.number(place, "I") if place else 0

    def vector(self, field: int, dtype: str) -> Array:
        """Numbers, not copied; none if the field is absent."""
        at = self._target(field)
        if not at:
            return np.empty(0, dtype)
        count = self.buffer.number(at, "I")
        if at + 4 + count * np.dtype(dtype).itemsize > len(self.buffer.content):
            raise ArtefactError("it has a list that reaches beyond its end")
        return np.frombuffer(self.buffer.content, dtype, count, at + 4)

    def text(self, field: int) -> str:
        """Text; empty if the field is absent."""
        try:
            return self.vector(field, "u1").tobytes().decode()
        except UnicodeDecodeError as error:
            raise ArtefactError("it has a name that is not a text") from error

    def tables(self, field: int) -> list["Table"]:
        """Tables in a list; none if the field is absent."""
        places = self.vector(field, "<u4")
        first = self._target(field) + 4
        if len(places) > _MOST_TABLES:
            raise ArtefactError(f"it has more than {_MOST_TABLES:,} tables")
        return [self.buffer.table(first + 4 * i + place) for i, place in enumerate(places.tolist())]
