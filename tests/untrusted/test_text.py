"""JSON of strangers: an object within bounds, or nothing."""

import json

import pytest

from aegmm_detect.untrusted.text import LARGEST_INTEGER, MOST_LEVELS, is_bounded, parsed_object


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [{}, {"a": [1, {"b": None}]}, {"a": LARGEST_INTEGER}, {"a": nested(MOST_LEVELS - 2)}]
)
def test_objects_within_bounds_are_read(value):
    assert parsed_object(json.dumps(value)) == value
    assert parsed_object(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"1", b"[]", b"null", b'"a"', b"{", b"{]", b"\xff\xfe", b'{"a": \xff}'),
        *(b'{"a":' + b"[" * 10**5, b'{"a":' * 10**5 + b"1" + b"}" * 10**5),
        *(b'{"a": 1' + b"0" * 20 + b"}", b'{"a": -1' + b"0" * 20 + b"}"),
        b'{"a": 1' + b"0" * 5000 + b"}",
        json.dumps({"a": nested(MOST_LEVELS)}).encode(),
    ],
    ids=range(15),
)
def test_anything_else_is_nothing(content):
    assert parsed_object(content) is None


def test_what_is_wide_is_not_deep():
    assert is_bounded([[0]] * 10**5)
    assert not is_bounded(nested(MOST_LEVELS + 1))
