"""The child of `trial`: scores rows within limits on memory and time, and says how that went."""

import math
import os
import signal
import sys
import time
from typing import Any

import numpy as np

from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.scoring.runtimes import RUNTIMES, CheckedRuntime, rows_at_once
from aegmm_detect.types import FloatArray

if sys.platform != "win32":
    import resource

# Over what the libraries have taken: for the runtime; for each byte of the graph, which is copied,
# converted and packed; for each byte of the rows, which nets make wider.
_SPARE_BYTES, _TIMES_GRAPH, _TIMES_ROWS = 2**27, 6, 64
# Of the processor: rows of the `auto` nets take 0.1 s, reading a graph 0.01 s a megabyte.
_SECONDS, _BYTES_PER_SECOND = 2.0, 2**24
# Of the clock: a little more than the parent waits.
_ALARM = 70


def main(order: dict[str, Any]) -> None:
    """Read a graph from the standard input, and write 'passed' or a reason."""
    metadata = ExportMetadata.model_validate_json(order["metadata"])
    model = sys.stdin.buffer.read(order["size"])
    # Before there is a limit: a library takes more address space than it uses.
    RUNTIMES[metadata.format].engine()
    rows = trial_rows(metadata)
    _limit(len(model), rows.nbytes)
    try:
        run = CheckedRuntime(model, metadata, metadata.model_file)
        for n in sorted({1, 2, 3, len(rows)}):
            run(rows[:n])
    except MemoryError:
        print("it took too much memory")
    except ArtefactError as error:
        print(str(error).rstrip("."))
    else:
        print("passed")
    sys.stdout.flush()
    # Nothing is left to do, and taking apart what a foreign graph has made could only go wrong.
    os._exit(0)


def trial_rows(metadata: ExportMetadata) -> FloatArray:
    """As many as the scorer passes at once, with NaN, infinities, large and small numbers."""
    rows = metadata.input
    n = rows_at_once(rows.shape)
    made = np.random.default_rng(0).standard_normal((n, *rows.shape)).astype(rows.dtype)
    odd = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-38, 0.0, 1e6]
    for i, value in zip(range(1, n), odd, strict=False):
        made[i] = value
    return made


def _limit(size: int, rows: int) -> None:
    """From here on: what one graph of that many bytes may take for that many bytes of rows."""
    if sys.platform == "win32":
        return
    seconds = math.ceil(time.process_time() + _SECONDS + size / _BYTES_PER_SECOND)
    limits = [(resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)]
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
        more = _SPARE_BYTES + _TIMES_GRAPH * size + _TIMES_ROWS * rows
        limits.append((resource.RLIMIT_AS, held + more))
    except OSError:  # not Linux: others do not hold to such a limit
        pass
    for kind, limit in limits:
        hard = resource.getrlimit(kind)[1]
        # At the first limit the system says why it ends a process; at the second it does not.
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(kind, (limit, limit + 1))
    signal.alarm(_ALARM)
