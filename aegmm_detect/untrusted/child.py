"""Foreign bytes that could end a process, hang it or fill its memory are used in a child first.

The child sets itself limits (`limits`); here is the limit of the clock, and how it ends in words.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import aegmm_detect
from aegmm_detect.untrusted.limits import CPU_SIGNAL

# Of the clock, on a machine with much else to do. The child sets itself limits on its own work.
SECONDS = 60.0
_MOST_CHARACTERS = 400
# The path is set before anything of the package is imported: the child finds what its parent does.
# With -P, what the current folder holds is not part of it.
_CODE = (
    "import importlib, json, sys; order = json.loads(sys.stdin.buffer.readline()); "
    "sys.path[:] = order['path']; importlib.import_module(order['program']).main(order)"
)


class Ended(NamedTuple):
    """How a child has ended."""

    output: bytes
    reason: str | None  # why it did not get to its end; None if it did


def run_child(
    program: str,
    order: Mapping[str, Any],
    contents: Sequence[bytes],
    library: str,
    endless: str = "it took too much time",
) -> Ended:
    """Let a child process use foreign bytes.

    Parameters
    ----------
    program
        Module with a function ``main(order)``, which reads the bytes from the standard input. It
        ends with ``sys.exit(reason)`` if they do not fit.
    order
        Plain values for ``main``, which finds the ``sizes`` of `contents` there, too.
    contents
        The bytes.
    library
        What crashes if the child crashes.
    endless
        What to say if it was refused more of the processor's time.
    """
    # Python within another program, or frozen into one: its name starts that program once more.
    if not sys.executable or getattr(sys, "frozen", False):
        return Ended(b"", "no Python was found to start a process with")
    root = str(Path(aegmm_detect.__file__).resolve().parents[1])
    whole = {
        **order,
        "program": program,
        "path": [*(path for path in sys.path if path), root],
        "sizes": [len(content) for content in contents],
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", "-c", _CODE],
            input=b"".join([json.dumps(whole).encode(), b"\n", *contents]),
            capture_output=True,
            timeout=SECONDS,
            check=False,
            # One thread: others take time to start and address space.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired as late:
        return Ended(late.stdout or b"", f"it did not finish in {SECONDS:.0f} seconds")
    except OSError as problem:
        return Ended(b"", f"no process could be started ({problem.strerror})")
    return Ended(done.stdout, _reason(done, library, endless))


def _reason(done: subprocess.CompletedProcess[bytes], library: str, endless: str) -> str | None:
    if done.returncode == 0:
        return None
    if done.returncode == -CPU_SIGNAL:
        return endless
    if done.returncode < 0:
        return f"{library} crashed with signal {-done.returncode}"
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1][:_MOST_CHARACTERS] if lines else f"it ended with exit status {done.returncode}"
