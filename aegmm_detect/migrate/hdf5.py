"""Contents of Keras 2's HDF5 files, read by a child process that may crash."""

import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from aegmm_detect.exceptions import MigrationError
from aegmm_detect.types import Array

_PROGRAM = Path(__file__).with_name("hdf5_child.py")
# Reading takes a fraction of a second; a damaged file can send the library round in circles.
_SECONDS = 60.0


@dataclasses.dataclass(frozen=True, eq=False)
class StoredNet:
    """What a file holds: the net's configuration in JSON, and weights by layer and path."""

    config: str
    weights: dict[str, dict[str, Array]]


def read(path: Path) -> StoredNet:
    """The net in a file.

    Raises
    ------
    MigrationError
        The file is missing, damaged or no net of Keras 2.
    """
    if not path.is_file():
        raise MigrationError(
            f"{path} is missing: copy the whole directory that save_detector wrote, model/ "
            "included."
        )
    # -P: the program's folder is not where its imports are looked for.
    command = [sys.executable, "-P", str(_PROGRAM), str(path.resolve())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise _unreadable(path, f"nothing came of it in {_SECONDS:.0f} seconds") from None
    if done.returncode < 0:
        raise _unreadable(path, f"the HDF5 library crashed with signal {-done.returncode}")
    if done.returncode > 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise _unreadable(path, lines[0] if lines else f"exit status {done.returncode}")
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as arrays:
        index = json.loads(arrays["index"].tobytes())
        weights = {
            layer: {name: arrays[str(number)] for name, number in numbers.items()}
            for layer, numbers in index["layers"].items()
        }
    return StoredNet(index["config"], weights)


def _unreadable(path: Path, told: str) -> MigrationError:
    return MigrationError(
        f"{path.name} cannot be read: {told}. It is damaged, or alibi-detect did not write it: "
        "copy the directory again."
    )
