"""Messages of strangers: only what every reader understands in the same way."""

import struct

import pytest

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.untrusted import protobuf
from aegmm_detect.untrusted.protobuf import Field, Reader

INNER = {1: Field("n", "int"), 2: Field("text", "text")}
FIELDS = {
    1: Field("int", "int"),
    2: Field("text", "text"),
    3: Field("ints", "int", True),
    4: Field("float", "float"),
    5: Field("doubles", "double", True),
    6: Field("inner", INNER),
    7: Field("many", INNER, True),
    8: Field("bytes", "bytes"),
    9: Field("doc", "skipped"),
    10: Field("a program", "refused"),
    11: Field("floats", "float", True),
}


def read(content):
    return Reader().message(memoryview(content), FIELDS)


def varint(value):
    value %= 2**64
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def field(number, wire, rest):
    return varint(number << 3 | wire) + rest


def piece(number, content):
    return field(number, 2, varint(len(content)) + content)


def test_every_kind_of_field_is_read():
    content = b"".join(
        [
            field(1, 0, varint(-5)),
            piece(2, "häßlich".encode()),
            *(field(3, 0, varint(1)), piece(3, varint(2) + varint(2**62))),
            field(4, 5, struct.pack("<f", 0.5)),
            *(field(5, 1, struct.pack("<d", 1.5)), piece(5, struct.pack("<2d", 2.5, -3.0))),
            piece(6, field(1, 0, varint(7))),
            *(piece(7, b""), piece(7, piece(2, b"x"))),
            piece(8, b"\xff\0"),
            piece(9, b"\xff"),
        ]
    )
    assert read(content) == {
        "int": -5,
        "text": "häßlich",
        "ints": [1, 2, 2**62],
        "float": 0.5,
        "doubles": [1.5, 2.5, -3.0],
        "inner": {"n": 7},
        "many": [{}, {"text": "x"}],
        "bytes": b"\xff\0",
        "doc": None,
    }
    assert read(b"") == {}


ATTACKS = [
    (field(1, 0, varint(1)) * 2, "the field int twice"),
    (piece(6, b"") * 2, "the field inner twice"),
    (field(12, 0, varint(1)), "unknown field, number 12"),
    (piece(10, b""), "holds a program, which no export may have"),
    (piece(1, b"1"), "field int is of another type"),
    (field(4, 1, bytes(8)), "field float is of another type"),
    (field(6, 3, b""), "field inner is of another type"),
    (piece(11, bytes(5)), "field floats is cut short"),
    (piece(2, b"\xff"), "field text is not a text"),
    (field(2, 2, b"\x05abc"), "cut short"),
    (field(4, 5, b"123"), "cut short"),
    (piece(6, field(2, 2, b"\x01")), "cut short"),
    (b"\x88\x00\x01", "not written in the usual way"),
    (field(1, 0, b"\x80\x00"), "not written in the usual way"),
    (b"\x80" * 11, "not written in the usual way"),
    (field(1, 0, b"\xff" * 9 + b"\x02"), "not written in the usual way"),
    (b"\x42\xff\xff\xff\xff\x0f", "cut short"),
]


@pytest.mark.parametrize(("content", "reason"), ATTACKS)
def test_what_two_readers_could_understand_differently_is_refused(content, reason):
    with pytest.raises(ArtefactError, match=reason):
        read(content)


def test_every_cut_is_refused_or_ends_between_fields():
    parts = [field(1, 0, varint(300)), piece(2, b"abc"), piece(6, field(1, 0, varint(7)))]
    content = b"".join(parts)
    ends = {0, len(parts[0]), len(parts[0]) + len(parts[1]), len(content)}
    for end in range(len(content) + 1):
        if end in ends:
            read(content[:end])
        else:
            with pytest.raises(ArtefactError):
                read(content[:end])


@pytest.mark.parametrize("kind", ["messages", "numbers", "packed"])
def test_fields_are_counted_over_the_whole_file(monkeypatch, kind):
    monkeypatch.setattr(protobuf, "_MOST_FIELDS", 100)
    one = {
        "messages": piece(7, b""),
        "numbers": field(3, 0, varint(1)),
        "packed": piece(3, varint(1)),
    }[kind]
    per = 2 if kind == "packed" else 1
    read(one * (100 // per))
    with pytest.raises(ArtefactError, match="more than 100 fields"):
        read(one * (100 // per + 1))
