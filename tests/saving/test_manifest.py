"""The manifest keeps what it is given and knows itself."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.saving.manifest import FORMAT_VERSION, Manifest, file_entry


def manifest(**fields):
    values = {
        "detector": "OutlierAEGMM",
        "config": {},
        "fit_config": {},
        "net": {"kind": "ready"},
        "threshold": {"value": None},
        "versions": {},
        "files": {},
    }
    return Manifest(**{**values, **fields})


names = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4, unique=True).map(
    tuple
)


@given(
    threshold=st.none() | st.floats(allow_nan=False),
    names=st.none() | names,
    shape=st.lists(st.integers(0, 2**8), max_size=3).map(tuple),
    content=st.binary(max_size=99),
)
def test_it_comes_back_as_it_was(threshold, names, shape, content):
    before = manifest(
        threshold={"value": threshold, "inferred": True},
        input={
            "shape": shape if names is None else (len(names),),
            "dtype": "float32",
            "names": names,
        },
        files={"state": file_entry("state", content), "net": file_entry("net", content)},
    )
    after = Manifest.from_json(before.to_json(), "here")
    assert after == before
    if threshold is not None:
        assert math.copysign(1.0, after.threshold.value) == math.copysign(1.0, threshold)


def test_it_ends_with_its_own_hash_which_does_not_mind_how_it_is_written():
    text = manifest().to_json().decode()
    fields = json.loads(text)
    assert list(fields)[-1] == "sha256"
    respelt = json.dumps(dict(reversed(fields.items())), indent=None)
    assert Manifest.from_json(respelt.encode(), "here") == manifest()


@pytest.mark.parametrize("edit", [{"detector": "Other"}, {"sha256": "0" * 64}, {"more": 1}])
def test_an_edited_one_is_refused(edit):
    fields = json.loads(manifest().to_json()) | edit
    with pytest.raises(ArtefactError, match="damaged or was edited"):
        Manifest.from_json(json.dumps(fields).encode(), "here")
    del fields["sha256"]
    with pytest.raises(ArtefactError, match="damaged or was edited"):
        Manifest.from_json(json.dumps(fields).encode(), "here")


def test_a_newer_format_says_upgrade():
    newer = manifest(format_version=FORMAT_VERSION + 1).to_json()
    with pytest.raises(ArtefactError, match=r"version 3.*up to 2\. Upgrade"):
        Manifest.from_json(newer, "here")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"null", b"3", b"{}", b'{"format": "x"}'])
def test_foreign_content_is_refused(content):
    with pytest.raises(ArtefactError, match="no manifest of a saved detector"):
        Manifest.from_json(content, "here")
