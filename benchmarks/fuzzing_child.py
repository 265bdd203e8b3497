"""A child process that opens files one by one, and words for what came of each."""

import contextlib
import functools
import importlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from aegmm_detect.exceptions import AEGMMError

ROOT = Path(__file__).resolve().parents[1]
# All other outcomes are findings: "CRASH: ...", "HANG", "RAW ...".
REJECTED, LOADED, HANG = "rejected", "loaded", "HANG"
# Of the clock, on a machine with much else to do: for one file, and for a child to start.
SECONDS, _START_SECONDS = 120.0, 300.0


class Result(NamedTuple):
    """What came of one file."""

    outcome: str
    seconds: float
    megabytes: float  # by which the process grew; 0 where the system does not say


def outcome_of(call: Callable[[], object]) -> str:
    """What a call came to, in few words."""
    try:
        call()
    except AEGMMError:
        return REJECTED
    except Exception as error:
        return f"RAW {type(error).__name__}: {str(error)[:200]}"
    return LOADED


def serve(program: str) -> None:
    """In the child: open the files whose names come on the standard input, and answer for each."""
    module = importlib.import_module(program)
    open_file = module.open_file
    module.prepare()
    print(json.dumps(["ready", 0.0, 0.0]), flush=True)
    for line in sys.stdin:
        name, before, start = line.rstrip("\n"), _peak(), time.perf_counter()
        outcome = outcome_of(functools.partial(open_file, Path(name)))
        result = Result(outcome, time.perf_counter() - start, _peak() - before)
        print("\n" + json.dumps(result), flush=True)


def _peak() -> float:
    try:  # what `getrusage` says begins with what the parent process had
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
    except OSError:
        return 0.0


class _Child:
    """A process that opens files one by one, and is killed when one takes too long."""

    def __init__(self, program: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # see `close`
        code = f"from benchmarks import fuzzing_child; fuzzing_child.serve({program!r})"
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=pipe,
            stdout=pipe,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
        )
        ready = self._answer(_START_SECONDS)
        if ready.outcome != "ready":
            self.close()
            raise RuntimeError(f"{program} does not start: {ready.outcome}")

    def open(self, path: Path | str, seconds: float) -> Result:
        """What came of a file; after a crash or a hang, the child has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended since its last answer
            self._process.stdin.write(f"{path}\n")
            self._process.stdin.flush()
        return self._answer(seconds)

    def _answer(self, seconds: float) -> Result:
        assert self._process.stdout is not None
        late = threading.Event()

        def kill() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, kill)
        timer.start()
        try:
            for line in self._process.stdout:
                if line.startswith('["'):
                    return Result(*json.loads(line))
        finally:
            timer.cancel()
        status = self._process.wait()
        if late.is_set():
            return Result(HANG, seconds, 0.0)
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        print(f"exit status {status} {last}", file=sys.stderr)
        return Result(f"CRASH: exit status {status}", 0.0, 0.0)

    def close(self) -> None:
        """Let it end, or note that it has."""
        self._process.communicate()
        self._errors.close()


def in_children(
    program: str, files: Iterable[Path | str], seconds: float = SECONDS
) -> list[Result]:
    """What came of each file, opened in a child that is started again after a crash or a hang.

    Parameters
    ----------
    program
        Module with a function ``open_file``.
    files
        To be opened.
    seconds
        Of the clock, for each file.
    """
    results: list[Result] = []
    child: _Child | None = None
    try:
        for path in files:
            child = child or _Child(program)
            results.append(child.open(path, seconds))
            if results[-1].outcome == HANG or results[-1].outcome.startswith("CRASH"):
                child.close()
                child = None
    finally:
        if child is not None:
            child.close()
    return results
