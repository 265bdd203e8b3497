"""Open saved detectors that were mutated and sealed again: nothing but our own errors may come.

``python -m benchmarks.fuzz_artefacts --count 2000 --seed 0`` prints how often each outcome came.
Half of the files are of format 1, whose weights are HDF5.
"""

import io
import json
import logging
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from aegmm_detect.saving import load_detector
from aegmm_detect.saving.manifest import MANIFEST, file_entry
from aegmm_detect.untrusted.stored import read_stored, write_stored
from benchmarks import fuzzing
from benchmarks.fuzzing_child import ROOT

GOLDEN = ROOT / "tests" / "golden"
_BASES = ("own_nets", "OutlierAEGMM", "OutlierVAEGMM", "OutlierSOMAEGMM", "PerClassAEGMM")


def make(folder: Path, count: int, seed: int) -> list[Path]:
    """Mutants of the golden detectors of every format, as files."""
    draw = random.Random(seed)
    bases = _bases()
    files = []
    for number in range(count):
        kind, content = mutated(draw.choice(bases), draw)
        path = folder / f"{number}-{kind}.aegmm"
        path.write_bytes(content)
        files.append(path)
    return files


def _bases() -> list[Path]:
    return [path for path in sorted(GOLDEN.glob("v*/*.aegmm")) if path.stem in _BASES]


def mutated(base: Path, draw: random.Random) -> tuple[str, bytes]:
    """Kind of a mutation, and a saved detector with it, all hashes made to fit."""
    members = _members(base.read_bytes())
    manifest = json.loads(members.pop(MANIFEST))
    del manifest["sha256"]
    if draw.random() < 0.3:
        kind = "manifest"
        manifest = fuzzing.mutate_json(manifest, draw, keep=("format", "format_version"))
    else:
        name = draw.choice(sorted(members))
        kind, changed = _mutated_part(members.pop(name), draw)
        members[_renamed(manifest, name, changed)] = changed
    text = fuzzing.sealed_again(manifest, "sha256")
    return kind, write_stored({MANIFEST: text.encode(), **members})


def _mutated_part(content: bytes, draw: random.Random) -> tuple[str, bytes]:
    """A net or an array file: as bytes, or one of its members."""
    if draw.random() < 0.25:
        return "bytes", fuzzing.mutate_bytes(content, draw)
    members = _members(content)
    config = "config.json"
    if config in members and draw.random() < 0.6:
        values = fuzzing.mutate_json(json.loads(members[config]), draw)
        return "net", write_stored({**members, config: json.dumps(values).encode()})
    name = draw.choice(sorted(members))
    changed = fuzzing.mutate_bytes(members[name], draw)
    return "member", write_stored({**members, name: changed})


def _members(content: bytes) -> dict[str, bytes]:
    return read_stored(io.BytesIO(content), "a part", lambda _: True)


def _renamed(manifest: Any, name: str, content: bytes) -> str:
    """Enter the new size, hash and name of a file wherever the manifest has the old ones."""
    entry = file_entry(name.partition("-")[0], content).model_dump()
    entry["name"] = str(Path(entry["name"]).with_suffix(Path(name).suffix))
    for part in (manifest, *manifest["detectors"].values()):
        for role, former in part["files"].items():
            if former["name"] == name:
                part["files"][role] = entry
    return str(entry["name"])


def prepare() -> None:
    """Load a base of each format, and score with the newest."""
    *_, newest = [load_detector(path) for path in _bases() if path.stem == _BASES[0]]
    newest.score(np.zeros((3, 4), np.float32))


def open_file(path: Path) -> None:
    """Load a mutant; every tenth scores, which compiles."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    detector = load_detector(path)
    if detector.fitted and path.stem.partition("-")[0].endswith("0"):
        detector.score(np.zeros((3, 4), np.float32))


if __name__ == "__main__":
    sys.exit(fuzzing.main("benchmarks.fuzz_artefacts", __doc__.splitlines()[0], 200.0, 2000))
