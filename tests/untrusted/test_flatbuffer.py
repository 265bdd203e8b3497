"""Tables of strangers: no place outside the file is read, and no endless list."""

import struct

import pytest

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.untrusted import flatbuffer
from aegmm_detect.untrusted.flatbuffer import Buffer

MARK = b"TFL3"


def file_of(vtable, fields, rest=b""):
    """A root table; `fields` follow its offset, and places count from the table's start."""
    head = struct.pack(f"<HH{len(vtable)}H", 4 + 2 * len(vtable), 4 + len(fields), *vtable)
    head += bytes(-len(head) % 4)
    table = struct.pack("<i", len(head)) + fields
    return struct.pack("<I", 8 + len(head)) + MARK + head + table + rest


def root(content):
    return Buffer(content, MARK).root()


def test_scalars_text_lists_and_tables_are_read():
    # Field 0: a number; 1: absent; 2: text, whose place counts from its own.
    fields = struct.pack("<iI", -7, 4)
    table = root(file_of([4, 0, 8], fields, struct.pack("<I", 2) + b"ab"))
    assert table.scalar(0, "i") == -7
    assert table.scalar(1, "i") == table.scalar(9, "i") == 0
    assert table.text(2) == "ab"
    assert table.vector(2, "u1").tolist() == [97, 98]
    assert table.vector(1, "<i4").tolist() == []
    assert table.tables(1) == []
    assert table.has(0, 1)
    assert not table.has(1, 9)


def text_at(place, count, content=b"ab"):
    return file_of([4], struct.pack("<I", place), struct.pack("<I", count) + content)


ATTACKS = [
    (b"", "does not start as"),
    (b"\0\0\0\0TFL", "does not start as"),
    (b"\0\0\0\0XXXX" + bytes(50), "does not start as"),
    (struct.pack("<I", 2**32 - 1) + MARK, "points outside itself"),
    (b"\x08\0\0\0" + MARK, "cut short"),
    (b"\x08\0\0\0" + MARK + struct.pack("<i", 2**31 - 1), "points outside itself"),
    (b"\x08\0\0\0" + MARK + struct.pack("<i", -(2**31)), "points outside itself"),
    (b"\x08\0\0\0" + MARK + bytes(8), "invalid table"),
    (b"\x08\0\0\0" + MARK + struct.pack("<iHH", -4, 4, 2**16 - 1), "invalid table"),
    (b"\x08\0\0\0" + MARK + struct.pack("<iHH", -4, 2**16 - 1, 4), "invalid table"),
    (file_of([200], bytes(4)), "a field outside its table"),
    (file_of([2], bytes(4)), "a field outside its table"),
    (text_at(4, 3), "reaches beyond its end"),
    (text_at(4, 2**32 - 1), "reaches beyond its end"),
    (text_at(2**32 - 1, 2), "points outside itself"),
    (text_at(4, 2, b"\xff\xfe"), "a name that is not a text"),
]


@pytest.mark.parametrize(("content", "reason"), ATTACKS)
def test_places_outside_the_file_are_refused(content, reason):
    with pytest.raises(ArtefactError, match=reason):
        root(content).text(0)


def test_lists_of_billions_of_tables_are_refused_at_once(monkeypatch):
    monkeypatch.setattr(flatbuffer, "_MOST_TABLES", 100)
    # Tables that all stand at one place: the root itself.
    n = 101
    content = file_of([4], struct.pack("<I", 4))
    start = len(content) + 4
    at = struct.unpack("<I", content[:4])[0]
    places = struct.pack(f"<{n}I", *((at - start - 4 * i) % 2**32 for i in range(n)))
    with pytest.raises(ArtefactError, match="more than 100 tables"):
        root(content + struct.pack("<I", n) + places).tables(0)
