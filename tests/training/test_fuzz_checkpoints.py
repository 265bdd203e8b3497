"""Checkpoints changed at random, in ways that are well-formed, too: no outcome but two."""

from benchmarks import fuzz_checkpoints
from benchmarks.fuzzing_child import LOADED, REJECTED, in_children


def test_changed_checkpoints_are_resumed_or_rejected(tmp_path):
    files = fuzz_checkpoints.make(tmp_path, count=16, seed=2026)
    unchanged = tmp_path / "unchanged"
    unchanged.write_bytes(fuzz_checkpoints.whole())
    first, *results = in_children("benchmarks.fuzz_checkpoints", [unchanged, *files])
    assert first.outcome == LOADED
    assert {result.outcome for result in results} <= {REJECTED, LOADED}
    assert len(results) == 16
    kinds = {path.stem.partition("-")[2] for path in files}
    assert kinds == {"bytes", "members", "tree", "array"}
