"""JSON of strangers: an object within bounds, or nothing."""

import json

import pytest

from aegmm_detect.untrusted.text import (
    LARGEST_INTEGER,
    MOST_BRACKETS,
    MOST_COMMAS,
    MOST_LEVELS,
    containers,
    has_few_parts,
    is_bounded,
    parsed_object,
)


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


def test_what_would_make_too_many_objects_is_not_parsed():
    """Of a few MB, Python would make hundreds."""
    fits = '{"a": [' + "1," * MOST_COMMAS
    assert parsed_object(fits[:-1] + "]}") is not None
    assert parsed_object(fits + "1,1]}") is None
    for encoding in ("utf-8", "utf-16", "utf-32"):
        few = ('{"a": [' + "{}, " * 99 + "{}]}").encode(encoding)
        assert len(parsed_object(few)["a"]) == 100
        for part in ("[],", "{},"):
            many = '{"a": [' + part * MOST_BRACKETS + "1]}"
            assert parsed_object(many.encode(encoding)) is None


def test_a_long_text_does_not_fit():
    assert has_few_parts("x" * 9, longest=9)
    assert not has_few_parts("x" * 10, longest=9)
    assert not has_few_parts("\ud800" * 4, longest=9)


def test_names_of_many_columns_fit():
    names = [f"column {i}" for i in range(10**6)]
    assert parsed_object(json.dumps({"columns": names})) == {"columns": names}


def test_every_list_and_dictionary_counts_once():
    assert [containers(value) for value in (1, "[]", [], {"a": 1})] == [0, 0, 1, 1]
    assert containers({"a": [[], {}, [1, "{"]], "b": {"c": []}}) == 7
    assert containers(nested(50)) == 50
