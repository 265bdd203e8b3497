"""A seal holds for the content that it was made for, and for no other."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.sealed_json import Kind, read_sealed, sealed, unsealed
from aegmm_detect.untrusted.text import LARGEST_INTEGER, parsed_object

NUMBERS = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | st.floats(
    allow_nan=False, allow_infinity=False
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.text().filter(lambda name: name != "seal"), VALUES, max_size=4)


@settings(max_examples=40)
@given(FIELDS)
def test_what_is_sealed_unseals(fields):
    assert unsealed(parsed_object(sealed(json.dumps(fields), "seal")), "seal") == fields


@settings(max_examples=40)
@given(FIELDS, FIELDS)
def test_a_seal_fits_its_own_content_only(fields, others):
    seal = json.loads(sealed(json.dumps(fields), "seal"))["seal"]
    # As JSON tells them apart: 1 from true and from 1.0.
    same = json.dumps(fields, sort_keys=True) == json.dumps(others, sort_keys=True)
    assert (unsealed(others | {"seal": seal}, "seal") is not None) == same


@settings(max_examples=40)
@given(FIELDS)
def test_without_a_seal_nothing_fits(fields):
    assert unsealed(fields, "seal") is None


def test_nan_is_refused_and_what_is_no_object_is_none():
    assert unsealed(parsed_object('{"a": NaN, "seal": "x"}'), "seal") is None
    for content in (b"\xff", "", "[1]", "3", "[" * 100_000):
        assert parsed_object(content) is None


def test_what_cannot_be_read_again_is_not_written():
    for value in ([0] * 2**21, [{}] * 2**16):
        with pytest.raises(ArtefactError, match="more than can be read again"):
            sealed(json.dumps({"a": value}), "seal")


class Few(BaseModel):
    kind: str
    a: list[list[int]]


def test_a_file_of_more_lists_than_its_kind_has_is_not_validated():
    kind = Kind(("kind", "few"), 1, "seal", "foreign", "Again.", most_containers=5)

    def read(n):
        return read_sealed(
            Few, sealed(json.dumps({"kind": "few", "a": [[1]] * n}), "seal"), "f", kind
        )

    assert read(3).a == [[1]] * 3
    with pytest.raises(ArtefactError, match="f does not fit its format: more than 5 lists"):
        read(4)
