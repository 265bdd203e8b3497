"""The child of `trial`: scores rows within limits on memory and time, and says how that went."""

import os
import sys
from typing import Any

import numpy as np

from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.scoring.runtimes import RUNTIMES, CheckedRuntime, rows_at_once
from aegmm_detect.types import FloatArray
from aegmm_detect.untrusted.limits import set_limits

# Over what the libraries have taken: for the runtime; for each byte of the graph, which is copied,
# converted and packed; for each byte of the rows, which nets make wider.
_SPARE_BYTES, _TIMES_GRAPH, _TIMES_ROWS = 2**27, 6, 64
# Of the processor: rows of the `auto` nets take 0.1 s, reading a graph 0.01 s a megabyte.
_SECONDS, _BYTES_PER_SECOND = 2.0, 2**24


def main(order: dict[str, Any]) -> None:
    """Read a graph from the standard input, and write 'passed' or end with a reason."""
    metadata = ExportMetadata.model_validate_json(order["metadata"])
    (size,) = order["sizes"]
    model = sys.stdin.buffer.read(size)
    # What the runtime says of a foreign graph, however much, goes nowhere.
    answer, reasons = _taken(1), _taken(2)
    # Before there is a limit: a library takes more address space than it uses.
    RUNTIMES[metadata.format].engine()
    rows = _trial_rows(metadata)
    set_limits(
        _SPARE_BYTES + _TIMES_GRAPH * size + _TIMES_ROWS * rows.nbytes,
        _SECONDS + size / _BYTES_PER_SECOND,
    )
    reason = _reason(model, metadata, rows)
    if reason is None:
        os.write(answer, b"passed")
    else:
        os.write(reasons, reason.encode(errors="replace"))
    # Nothing is left to do, and taking apart what a foreign graph has made could only go wrong.
    os._exit(0 if reason is None else 1)


def _taken(descriptor: int) -> int:
    """A copy of an open file's number, which leads nowhere from here on."""
    copy = os.dup(descriptor)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return copy


def _reason(model: bytes, metadata: ExportMetadata, rows: FloatArray) -> str | None:
    """Why the graph fails; None if it does not."""
    try:
        run = CheckedRuntime(model, metadata, metadata.model_file)
        for n in sorted({1, 2, 3, len(rows)}):
            run(rows[:n])
    except MemoryError:
        return "it took too much memory"
    except ArtefactError as error:
        return str(error).rstrip(".")
    return None


def _trial_rows(metadata: ExportMetadata) -> FloatArray:
    """As many as the scorer passes at once, with NaN, infinities, large and small numbers."""
    rows = metadata.input
    n = rows_at_once(rows.shape)
    made = np.random.default_rng(0).standard_normal((n, *rows.shape)).astype(rows.dtype)
    odd = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-38, 0.0, 1e6]
    for i, value in zip(range(1, n), odd, strict=False):
        made[i] = value
    return made
