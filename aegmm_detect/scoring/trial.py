"""A foreign graph scores a few rows in a process of its own before it may do so in this one.

Runtimes are large programs in C++: a graph of known operations with a wrong number in it can still
end the process, take all memory or run for hours. What does so ends a child, and becomes an error.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import aegmm_detect
from aegmm_detect.configs.export import ExportMetadata
from aegmm_detect.exceptions import ArtefactError

# Of the clock, on a machine with much else to do. The child sets itself limits on its own work.
SECONDS = 60.0
# Graphs that this process has made or tried; those made were compared by `export`.
_PASSED: set[str] = set()
_CPU_SIGNAL = 24
_MOST_CHARACTERS = 400
# The path is set before anything of the package is imported: the child finds what its parent does.
# What the current folder holds is none of that, so the flag is -P.
_CODE = (
    "import json, sys; order = json.loads(sys.stdin.buffer.readline()); "
    "sys.path[:] = order['path']; from aegmm_detect.scoring import trial_child; "
    "trial_child.main(order)"
)
_ADVICE = (
    "If you know who wrote it, and that nobody has changed it since, pass trusted=True to leave "
    "the trial out."
)


def identity(metadata: ExportMetadata) -> str:
    """Of a graph and the rows it takes; the metadata's sha256 has been compared with the file's."""
    parts = [metadata.format, metadata.sha256, metadata.input.model_dump_json()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def has_passed(known: str) -> bool:
    """Whether the graph of that identity needs no trial in this process."""
    return known in _PASSED


def note_passed(known: str) -> None:
    """The graph of that identity needs no trial in this process."""
    _PASSED.add(known)


def try_graph(model: bytes, metadata: ExportMetadata, where: str) -> None:
    """Let a child score rows, unless the graph has passed in this process.

    Parameters
    ----------
    model
        Of the file, checked by `check_graph`.
    metadata
        What stands beside it.
    where
        Path of the file, for errors.

    Raises
    ------
    ArtefactError
        The child crashed, was refused memory or time, or the runtime failed; or none can start.
    """
    if has_passed(identity(metadata)):
        return
    reason = _reason(model, metadata)
    if reason is not None:
        raise ArtefactError(f"{where} is refused: in a trial of a few rows, {reason}. {_ADVICE}")
    note_passed(identity(metadata))


def _reason(model: bytes, metadata: ExportMetadata) -> str | None:
    """Why a graph has failed; None if it has not."""
    # Python within another program, or frozen into one: its name starts that program once more.
    if not sys.executable or getattr(sys, "frozen", False):
        return "no Python is to be found that could run it"
    root = str(Path(aegmm_detect.__file__).resolve().parents[1])
    order = {
        "path": [*(path for path in sys.path if path), root],
        "size": len(model),
        "metadata": metadata.model_dump_json(),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", "-c", _CODE],
            input=b"".join([json.dumps(order).encode(), b"\n", model]),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
            # One thread: others take time to start and address space.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return f"it did not come to an end in {SECONDS:.0f} seconds"
    except OSError as problem:
        return f"no process could be started ({problem.strerror})"
    if done.returncode == -_CPU_SIGNAL:
        return "it took too much time"
    if done.returncode < 0:
        return f"the runtime crashed with signal {-done.returncode}"
    answer = done.stdout[-2 * _MOST_CHARACTERS :].decode(errors="replace").splitlines()
    if done.returncode == 0 and answer and answer[-1] == "passed":
        return None
    return answer[-1][:_MOST_CHARACTERS] if answer else f"it ended with {done.returncode}"
