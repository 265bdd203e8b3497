"""Saved detectors that were mutated and sealed again: only errors of the package's own."""

import collections

import pytest

from benchmarks import fuzzing
from benchmarks.fuzz_artefacts import write_mutants

# Memory of the process, in MB, that opening one file may add: Keras's own start, mostly.
_MOST_GROWTH = 300


def test_80_mutants_are_rejected_or_loaded_and_nothing_else(tmp_path):
    files = write_mutants(tmp_path, count=80, seed=3)
    found = fuzzing.in_children("benchmarks.fuzz_artefacts", files)
    growth = found.pop(fuzzing.GROWTH)
    assert found.keys() == {"rejected", "loaded"}
    assert found.total() == 80
    assert found["rejected"] > 20
    assert growth < _MOST_GROWTH


def test_the_fuzz_tells_crashes_and_foreign_errors():
    """Or it would find nothing, whatever there is."""

    def fail():
        raise KeyError("x")

    assert fuzzing.outcome_of(fail, ValueError).startswith("RAW KeyError")
    assert fuzzing.outcome_of(fail, KeyError) == "rejected"
    found = fuzzing.in_children("tests.saving.crashing", ["a", "b", "c"])
    assert found == collections.Counter({"loaded": 2, "CRASH: exit status 3": 1, fuzzing.GROWTH: 0})


@pytest.mark.parametrize("seed", range(20))
def test_a_mutation_changes_something_and_leaves_the_original_alone(seed):
    import random

    value = {"format": "x", "a": [1, {"b": "c"}], "d": {"e": None}}
    kept = {"format": "x", "a": [1, {"b": "c"}], "d": {"e": None}}
    found = fuzzing.mutate_json(value, random.Random(seed), keep=("format",))
    assert value == kept
    assert found["format"] == "x"
