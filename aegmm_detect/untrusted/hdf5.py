"""HDF5 files, read by a child process that may crash."""

import dataclasses
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aegmm_detect.exceptions import AEGMMError
from aegmm_detect.types import Array
from aegmm_detect.untrusted.child import run_child

_PROGRAM = "aegmm_detect.untrusted.hdf5_child"
_ADVICE = "It is damaged, or Keras did not write it: restore it from a copy."


@dataclasses.dataclass(frozen=True, eq=False)
class Contents:
    """What an HDF5 file holds."""

    datasets: dict[str, Array]  # by their full path, such as 'layers/dense/vars/0'; read-only
    attributes: dict[str, dict[str, str | list[str]]]  # text by path of the group and name


def read_contents(
    contents: Mapping[str, bytes],
    error: type[AEGMMError],
    attributes: Sequence[str] = (),
    advice: str = _ADVICE,
) -> dict[str, Contents]:
    """Datasets and attributes of several HDF5 files.

    Parameters
    ----------
    contents
        Of the files, by a name for messages.
    error
        Raised for what does not fit.
    attributes
        Names of attributes of groups that hold text.
    advice
        Last sentence of errors.

    Returns
    -------
    For each file what it holds. bfloat16, which NumPy lacks, comes as ``V2``.

    Raises
    ------
    AEGMMError
        A file is damaged; it holds links, or data that are compressed, in pieces, elsewhere, not
        numbers, or not there; an attribute is not a text; or no child process can be started.
    """
    if not contents:
        return {}
    output, reason = run_child(
        _PROGRAM,
        {"attributes": list(attributes)},
        list(contents.values()),
        "the HDF5 library",
        "reading it does not end",
    )
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
