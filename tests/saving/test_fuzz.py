"""Saved detectors that were mutated and sealed again: only errors of the package's own."""

import collections
import json
import random
import time

import pytest

from benchmarks import fuzz_artefacts, fuzzing
from benchmarks.fuzzing_child import LOADED, REJECTED, in_children

# Megabytes that opening one file may add.
_MOST_GROWTH = 200


def test_20_mutants_are_rejected_or_loaded_and_nothing_else(tmp_path):
    files = fuzz_artefacts.make(tmp_path, count=20, seed=3)
    results = in_children("benchmarks.fuzz_artefacts", files)
    found = collections.Counter(result.outcome for result in results)
    assert found.keys() == {REJECTED, LOADED}
    assert found.total() == 20
    assert found[REJECTED] > 5
    assert max(result.megabytes for result in results) < _MOST_GROWTH


def test_the_fuzz_tells_crashes_hangs_and_foreign_errors():
    """Or it would find nothing, whatever there is; and one file that hangs takes its own time."""
    names = ["good", "crash", "rejected", "hang", "raw", "good"]
    start = time.monotonic()
    results = in_children("tests.saving.crashing", names, seconds=3.0)
    assert [result.outcome for result in results] == [
        *("loaded", "CRASH: exit status 3", "rejected", "HANG", "RAW KeyError: 'x'", "loaded")
    ]
    assert time.monotonic() - start < 300


def test_a_mutation_changes_something_and_leaves_the_original_alone():
    value = {"format": "x", "a": [1, {"b": "aa"}], "d": {"e": None, "f": True}, "g": []}
    kept = json.dumps(value)
    for seed in range(200):
        found = fuzzing.mutate_json(value, random.Random(seed), keep=("format",))
        assert json.dumps(value) == kept, seed
        assert json.dumps(found) != kept, seed
        assert found["format"] == "x", seed


@pytest.mark.parametrize("content", [b"", b"a", b"aaaaaaaa", bytes(range(256))])
def test_a_mutation_of_bytes_changes_something(content):
    draw = random.Random(0)
    assert all(fuzzing.mutate_bytes(content, draw) != content for _ in range(200))
