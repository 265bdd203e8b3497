"""HDF5 files, read by a child process that may crash."""

import dataclasses
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aegmm_detect.exceptions import AEGMMError
from aegmm_detect.types import Array

_PROGRAM = Path(__file__).with_name("hdf5_child.py")
# Of the clock, on a machine with much else to do. The child sets itself a limit on its own work.
_SECONDS = 60.0
_MOST_CHARACTERS = 300
_CPU_SIGNAL = 24
_ADVICE = "It is damaged, or Keras did not write it: restore it from a copy."


@dataclasses.dataclass(frozen=True, eq=False)
class Contents:
    """What an HDF5 file holds."""

    datasets: dict[str, Array]  # by their full path, such as 'layers/dense/vars/0'; read-only
    attributes: dict[str, dict[str, str | list[str]]]  # text by path of the group and name


def read_datasets(
    contents: Mapping[str, bytes], error: type[AEGMMError]
) -> dict[str, dict[str, Array]]:
    """Datasets of several HDF5 files.

    Parameters
    ----------
    contents
        Of the files, by a name for messages.
    error
        Raised for what does not fit.

    Returns
    -------
    For each file its datasets by their full path, such as ``layers/dense/vars/0``. They are
    read-only; bfloat16, which NumPy lacks, comes as ``V2``.

    Raises
    ------
    AEGMMError
        A file is damaged; it holds links, or data that are compressed, in pieces, elsewhere, no
        numbers, or not there.
    """
    return {name: found.datasets for name, found in read_contents(contents, error).items()}


def read_contents(
    contents: Mapping[str, bytes],
    error: type[AEGMMError],
    attributes: Sequence[str] = (),
    advice: str = _ADVICE,
) -> dict[str, Contents]:
    """Datasets and attributes of several HDF5 files.

    Parameters
    ----------
    contents, error
        See `read_datasets`.
    attributes
        Names of attributes of groups that hold text.
    advice
        Last sentence of errors.

    Raises
    ------
    AEGMMError
        See `read_datasets`; or an attribute is no text.
    """
    if not contents:
        return {}
    output, reason = _answer(list(contents.values()), attributes)
    stream = io.BytesIO(output)
    found: dict[str, Contents] = {}
    for name in contents:
        part = None if reason and stream.tell() == len(output) else _part(stream)
        if part is None:
            why = reason or "the answer of the process that reads it is cut short"
            raise error(f"{name} cannot be read: {why}. {advice}")
        found[name] = part
    if reason:
        raise error(f"{', '.join(contents)} cannot be read: {reason}. {advice}")
    return found


def _answer(files: Sequence[bytes], attributes: Sequence[str]) -> tuple[bytes, str | None]:
    """What the child wrote, and why it ended if it did not get to its end."""
    order = json.dumps({"sizes": [len(file) for file in files], "attributes": list(attributes)})
    # -P: the program's folder is not where its imports are looked for.
    command = [sys.executable, "-P", "-W", "ignore", str(_PROGRAM)]
    try:
        done = subprocess.run(
            command,
            input=b"".join([order.encode(), b"\n", *files]),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            # It computes nothing, and threads take time to start.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired as late:
        return late.stdout or b"", f"nothing came of it in {_SECONDS:.0f} seconds"
    except OSError as problem:
        return b"", f"no process that reads it can be started ({problem.strerror})"
    if done.returncode == -_CPU_SIGNAL:
        return done.stdout, "it sends the HDF5 library round in circles"
    if done.returncode < 0:
        return done.stdout, f"the HDF5 library crashed with signal {-done.returncode}"
    if done.returncode > 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[0][:_MOST_CHARACTERS] if lines else f"exit status {done.returncode}"
        return done.stdout, reason
    return done.stdout, None


def _part(stream: io.BytesIO) -> Contents | None:
    """One file's part of the answer; None if it is cut short."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    description: dict[str, Any] = json.loads(line)
    datasets: dict[str, Array] = {}
    for path, kind, shape in description["datasets"]:
        dtype = np.dtype(kind)
        size = math.prod(shape) * dtype.itemsize
        data = stream.read(size)
        if len(data) != size:
            return None
        datasets[path] = np.frombuffer(data, dtype).reshape(shape)
    return Contents(datasets, description["attributes"])
