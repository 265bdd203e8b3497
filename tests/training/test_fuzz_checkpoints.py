"""Checkpoints changed at random, in ways that are well-formed, too: no outcome but two."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", [2026, 2027])
def test_changed_checkpoints_are_resumed_or_rejected(monkeypatch, seed):
    monkeypatch.syspath_prepend(ROOT)
    found = importlib.import_module("benchmarks.fuzz_checkpoints").fuzz(30, seed)
    assert found["findings"] == []
    assert sum(found["outcomes"].values()) == 30
    kinds = {name.partition(":")[0] for name in found["outcomes"]}
    assert {"tree", "array"} < kinds
