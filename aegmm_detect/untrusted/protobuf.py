"""Protocol-buffer messages, read so strictly that every other reader finds the same in them.

Readers merge what stands in a message twice, skip what they do not know, and cut off what is too
long; the runtime, which comes later, may do so in another way than the reader that checks. Here all
of that is refused, so there is one way to understand what is left. Errors say what is wrong with
"it"; `graph.check_graph` adds which file it is. It needs neither the package
``onnx``, which a machine that only scores does not have, nor ``protobuf``, which merges silently.
"""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from aegmm_detect.exceptions import ArtefactError

# Fields of all messages of a file together, numbers in lists among them. The largest export of the
# tests has 20,000; at a microsecond each, this many take a second.
_MOST_FIELDS = 500_000
# Wire types.
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_LONGEST_VARINT = 10
_WIRES = {"int": _VARINT, "float": _FOUR, "double": _EIGHT}


class Field(NamedTuple):
    """One field of a message.

    `kind` is 'int', 'float', 'double', 'bytes' (a view, not copied), 'text', 'skipped' (of any
    length, not read), 'refused', or the fields of a message within the message.
    """

    name: str
    kind: "str | Mapping[int, Field]"
    repeated: bool = False


class Reader:
    """Reads messages of one file, which share one limit on their number of fields."""

    def __init__(self) -> None:
        self._left = _MOST_FIELDS

    def message(self, content: memoryview, fields: Mapping[int, Field]) -> dict[str, Any]:
        """Fields by name: a value each, a list where they are repeated; those absent are absent.

        Raises
        ------
        ArtefactError
            Cut short, a field that is unknown, refused, of another type or there twice, a number
            that is not written in the shortest way, or too many fields.
        """
        found: dict[str, Any] = {}
        cursor = _Cursor(content)
        while cursor.at < len(content):
            self._count(1)
            key = cursor.varint()
            field = fields.get(key >> 3)
            if field is None:
                raise ArtefactError(f"it has an unknown field, number {key >> 3}")
            if field.kind == "refused":
                raise ArtefactError(f"it holds {field.name}, which no export may have")
            if field.repeated:
                found.setdefault(field.name, []).extend(self._values(cursor, key & 7, field))
            elif field.name in found:
                raise ArtefactError(f"it has the field {field.name} twice")
            else:
                found[field.name] = self._value(cursor, key & 7, field)
        return found

    def _count(self, n: int) -> None:
        self._left -= n
        if self._left < 0:
            raise ArtefactError(f"it has more than {_MOST_FIELDS:,} fields")

    def _values(self, cursor: "_Cursor", wire: int, field: Field) -> list[Any]:
        """One value, or several numbers in one piece."""
        kind = field.kind
        if not isinstance(kind, str) or kind not in _WIRES or wire != _BYTES:
            return [self._value(cursor, wire, field)]
        piece = cursor.piece()
        if kind == "int":
            numbers, inner = [], _Cursor(piece)
            while inner.at < len(piece):
                self._count(1)
                numbers.append(_signed(inner.varint()))
            return numbers
        letter, size = ("f", 4) if kind == "float" else ("d", 8)
        if len(piece) % size:
            raise ArtefactError(f"its field {field.name} is cut short")
        self._count(len(piece) // size)
        return list(struct.unpack(f"<{len(piece) // size}{letter}", piece))

    def _value(self, cursor: "_Cursor", wire: int, field: Field) -> Any:
        kind = field.kind
        if wire != (_WIRES.get(kind, _BYTES) if isinstance(kind, str) else _BYTES):
            raise ArtefactError(f"its field {field.name} is of another type")
        if kind == "int":
            return _signed(cursor.varint())
        if kind in ("float", "double"):
            size = 4 if kind == "float" else 8
            return struct.unpack("<f" if kind == "float" else "<d", cursor.take(size))[0]
        piece = cursor.piece()
        if kind == "text":
            try:
                return str(piece, "utf-8")
            except UnicodeDecodeError as error:
                raise ArtefactError(f"its field {field.name} is not a text") from error
        if isinstance(kind, str):
            return piece if kind == "bytes" else None
        return self.message(piece, kind)


class _Cursor:
    """A place in bytes."""

    def __init__(self, content: memoryview) -> None:
        self.content, self.at = content, 0

    def varint(self) -> int:
        """An unsigned number of at most 64 bits."""
        content, start = self.content, self.at
        value = 0
        for i, byte in enumerate(content[start : start + _LONGEST_VARINT]):
            value |= (byte & 127) << (7 * i)
            if byte < 128:
                if (i and not byte) or value >> 64:
                    break
                self.at = start + i + 1
                return value
        raise ArtefactError(
            "it is cut short, or holds a number that is not written in the usual way"
        )

    def take(self, size: int) -> memoryview:
        """The next `size` bytes."""
        end = self.at + size
        if end > len(self.content):
            raise ArtefactError("it is cut short")
        piece = self.content[self.at : end]
        self.at = end
        return piece

    def piece(self) -> memoryview:
        """The next bytes, whose number stands before them."""
        return self.take(self.varint())


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
