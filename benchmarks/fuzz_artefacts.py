"""Open saved detectors that were mutated and sealed again: nothing but our own errors may come.

``python -m benchmarks.fuzz_artefacts --count 2000 --seed 0`` prints how often each outcome came.
Half of the files are of format 1, whose weights are HDF5.
"""

import argparse
import io
import json
import random
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from benchmarks import fuzzing

GOLDEN = fuzzing.ROOT / "tests" / "golden"
_BASES = ("own_nets", "OutlierAEGMM", "OutlierVAEGMM", "OutlierSOMAEGMM", "PerClassAEGMM")


def mutated(base: Path, draw: random.Random) -> bytes:
    """A saved detector with one mutation, all hashes made anew."""
    from aegmm_detect.sealed_json import sealed
    from aegmm_detect.untrusted.stored import write_stored

    members = _members(base.read_bytes())
    manifest = json.loads(members.pop("manifest.json"))
    del manifest["sha256"]
    if draw.random() < 0.3:
        manifest = fuzzing.mutate_json(manifest, draw, keep=("format", "format_version"))
    else:
        name = draw.choice(sorted(members))
        changed = _mutated_part(members.pop(name), draw)
        members[_renamed(manifest, name, changed)] = changed
    try:
        text = sealed(json.dumps(manifest), "sha256")
    except ValueError:  # a number that JSON has no name for
        text = json.dumps(manifest)
    return write_stored({"manifest.json": text.encode(), **members})


def _mutated_part(content: bytes, draw: random.Random) -> bytes:
    """A net or an array file: as bytes, or one of its members."""
    if draw.random() < 0.25:
        return fuzzing.mutate_bytes(content, draw)
    members = _members(content)
    config = "config.json"
    name = config if config in members and draw.random() < 0.6 else draw.choice(sorted(members))
    if name == config:
        changed = json.dumps(fuzzing.mutate_json(json.loads(members[name]), draw)).encode()
    else:
        changed = fuzzing.mutate_bytes(members[name], draw)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, changed if member == name else data)
    return stream.getvalue()


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _renamed(manifest: Any, name: str, content: bytes) -> str:
    """Enter the new size, hash and name of a file wherever the manifest has the old ones."""
    import hashlib

    digest = hashlib.sha256(content).hexdigest()
    role, _, ending = name.partition("-")
    new = f"{role}-{digest[:16]}.{ending.rpartition('.')[2]}"
    entries = [*manifest["files"].values()]
    for part in manifest["detectors"].values():
        entries.extend(part["files"].values())
    for entry in entries:
        if entry["name"] == name:
            entry.update(name=new, size=len(content), sha256=digest)
    return new


def write_mutants(folder: Path, count: int, seed: int) -> list[Path]:
    """Mutants of the golden detectors of every format, as files."""
    draw = random.Random(seed)
    bases = [path for path in sorted(GOLDEN.glob("v*/*.aegmm")) if path.stem in _BASES]
    files = []
    for number in range(count):
        path = folder / f"{number}.aegmm"
        path.write_bytes(mutated(draw.choice(bases), draw))
        files.append(path)
    return files


def main() -> None:
    """Print the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write_mutants(Path(folder), settings.count, settings.seed)
        found = fuzzing.in_children("benchmarks.fuzz_artefacts", files)
    for outcome, number in sorted(found.items()):
        print(f"{number:6d}  {outcome}")


def _open_all(files: list[str]) -> None:
    import logging
    import warnings

    import numpy as np

    from aegmm_detect.exceptions import AEGMMError
    from aegmm_detect.saving import load_detector

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")

    def use(name: str) -> None:
        detector = load_detector(name)
        if detector.fitted and Path(name).stem.endswith("0"):  # scoring compiles: of every tenth
            detector.score(np.zeros((3, 4), np.float32))

    for name in files:
        fuzzing.report(fuzzing.outcome_of(lambda n=name: use(n), AEGMMError))


if __name__ == "__main__":
    if sys.argv[1:] and not sys.argv[1].startswith("-"):
        _open_all(sys.argv[1:])
    else:
        main()
