"""Pickles as values: what Python's own reader makes of plain ones, and an end to all others."""

import collections
import os
import pickle
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegmm_detect.exceptions import ForeignNameError, MigrationError
from aegmm_detect.migrate import from_alibi_detect
from aegmm_detect.migrate.inert_pickle import read
from aegmm_detect.migrate.named import Named

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
PLAIN = st.recursive(
    ATOMS | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=PLAIN, protocol=st.integers(3, 5))
@settings(max_examples=50)
def test_plain_values_come_back(value, protocol):
    assert read(pickle.dumps(value, protocol), "f", ()) == value


@given(value=st.recursive(ATOMS, lambda inner: st.lists(inner) | st.tuples(inner, inner)))
@settings(max_examples=30)
def test_old_protocols_are_read(value):
    for protocol in (0, 1, 2):
        assert read(pickle.dumps(value, protocol), "f", ()) == value


def test_shared_values_stay_shared():
    inner = [1]
    inner.append(inner)
    first, second = read(pickle.dumps((inner, inner)), "f", ())
    assert first is second
    assert first[1] is first


def test_names_and_calls_are_written_down():
    found = read(pickle.dumps(collections.OrderedDict(a=1)), "f", {"collections.OrderedDict"})
    assert (found.name, found.arguments, found.state) == ("collections.OrderedDict", (), ["a", 1])
    found = read(pickle.dumps(os.path.join, 2), "f", None)
    assert found.is_just({"posixpath.join", "ntpath.join"})
    assert repr(found) == found.name


def test_only_texts_are_keys():
    found = read(pickle.dumps({1: "a", (2, 3): "b", "c": "d"}), "f", ())
    assert found["c"] == "d"
    assert [repr(key) for key in found if key != "c"] == ["a key", "a key"]
    (found,) = read(pickle.dumps([{4}]), "f", ())
    assert (found.name, found.state) == ("builtins.set", [4])


DOUBLED = b"\x80\x04)" + b"2\x86" * 40
COLLIDING = b"".join(
    b"\x8a\x10" + (n * (2**61 - 1)).to_bytes(16, "little") + b"N" for n in range(40_000)
)
TEXT = b"\x8c\xff" + b"x" * 255
LONG = b"B" + (2**20).to_bytes(4, "little") + bytes(2**20)
# Each ends in a moment, whatever it asks for.
TRAPS = {
    "hash of tuples within tuples": b"}" + DOUBLED[2:] + b"Ns.",
    "set of tuples within tuples": b"\x8f(" + DOUBLED[2:] + b"\x90.",
    "frozen set": b"(" + DOUBLED[2:] + b"\x91.",
    "only tuples within tuples": DOUBLED + b".",
    "as a name": b"\x80\x04" + DOUBLED[2:] + b"\x8c\x01a\x93.",
    "as arguments": b"cbuiltins\nlist\n" + DOUBLED[2:] + b"R.",
    "as a state": b"cbuiltins\nlist\n" + DOUBLED[2:] + b"b.",
    "deep lists": b"]" * 50_000 + b"a" * 49_999 + b".",
    "deep tuples": b")" + b"\x85" * 90_000 + b".",
    "numbers of one hash": b"}(" + COLLIDING + b"u.",
    "many instructions": b"N0" * 200_000 + b"N.",
    "a huge memo": b"Nr\xff\xff\xff\x7f.",
    "a text longer than the file": b"\x8d" + (2**62).to_bytes(8, "little") + b".",
    "a long number": b"L" + b"9" * 100_000 + b"L\n.",
    "a name without end": TEXT + b"\x94" + TEXT + b"\x94\x93.",
    "marks without end": b"(" * 90_000 + b".",
    "an empty stack": b"R.",
    "no end": b"N",
    "buffers": b"\x97.",
    "persistent": b"N\x51.",
    "appended to a number": b"K\x01Na.",
    "one key without a value": b"}(\x8c\x01au.",
    "three of one": b"N\x87.",
    "a call of a number": b"K\x01)R.",
    "arguments many times": (
        b"\x80\x04(" + b"N" * 40_000 + b"t\x94(" + b"cbuiltins\nlist\nh\x00}\x92" * 2_000 + b"t."
    ),
    "bytes many times": b"(" + LONG + b"\x94" + b"h\x00" * 90_000 + b"t.",
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
@pytest.mark.parametrize("file", ["meta.dill", "OutlierAEGMM.dill"])
def test_traps_are_errors_at_once(artefact, trap, file):
    (artefact / file).write_bytes(trap)
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(MigrationError, match=file.replace(".", r"\.")) as caught:
            from_alibi_detect(artefact, recon_features=len)
        seconds, (_, most) = time.process_time() - start, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seconds < 5.0  # a tenth of it without the measuring
    assert most < 1e8
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("key", ["threshold", "n_gmm", "phi", "cov", "recon_features", "extra"])
def test_tuples_within_tuples_are_no_value_of_a_state(write_state, key):
    path = write_state(**{key: DOUBLED[2:]})
    with pytest.raises(MigrationError, match=rf"OutlierAEGMM\.dill.*{key}"):
        from_alibi_detect(path.parent)


def test_a_shape_without_end_is_an_error(write_state, program):
    number = b"\x8b" + (2**16).to_bytes(4, "little") + bytes(2**16 - 1) + b"\x01"
    array = program("x")  # what stands where the bytes would
    shape = b"(" + number + b"q\x01" + b"h\x01" * 20_000 + b"t"
    dtype = b"cnumpy\ndtype\n" + program(("f4", 0, 1)) + b"R"
    state = b"(K\x01" + shape + dtype + b"\x89" + array + b"t"
    call = b"cnumpy.core.multiarray\n_reconstruct\n" + program(()) + b"R" + state + b"b"
    with pytest.raises(MigrationError, match="phi holds tuple in place of a shape"):
        from_alibi_detect(write_state(phi=call).parent)


def test_a_version_is_shown_only_if_it_is_text(artefact, program, caplog):
    caplog.set_level("INFO")
    meta = b"\x80\x04}" + b"".join(
        program(name) + value + b"s"
        for name, value in (
            ("name", program("OutlierAEGMM")),
            ("data_type", program(None)),
            ("version", DOUBLED[2:]),
        )
    )
    (artefact / "meta.dill").write_bytes(meta + b".")
    from_alibi_detect(artefact)
    assert "unknown version" in caplog.text


def test_long_names_do_not_fill_the_message(artefact):
    name = "x" * 100_000
    (artefact / "OutlierAEGMM.dill").write_bytes(pickle.dumps({name: 1, "y": 2}))
    with pytest.raises(MigrationError, match="holds") as caught:
        from_alibi_detect(artefact)
    assert len(str(caught.value)) < 1000
    with pytest.raises(MigrationError, match="a name that is too long"):
        read(b"c" + name.encode() + b"\na\n.", "f", None)
    with pytest.raises(ForeignNameError, match=r"refers to 'x\.a'"):
        read(b"cx\na\n.", "f", ())


def test_named_shows_whether_it_is_called():
    assert repr(Named("a", ())) == "a(...)"
    assert repr(Named("a")) == "a"
