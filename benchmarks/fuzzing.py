"""Mutations of files whose hashes are made anew, and a child process that opens them.

What a fuzz looks for is anything but an error of the package's own: a crash, a hang, another
error, or memory beyond a bound.
"""

import collections
import copy
import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

GROWTH = "largest growth, MB"
ROOT = Path(__file__).resolve().parents[1]
# Numbers, names and shapes that readers trip over.
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 10**9, 2**31, 2**63, 10**40, 0.5, -0.0, 1e308),
    *("", "x", "relu", "../x", "/etc/passwd", "keras", "keras.config", "function", "__lambda__"),
    *([], {}, [0], [10**6, 10**6], {"class_name": "Lambda", "config": {}}, [[]], {"a": {}}),
)


def mutate_bytes(content: bytes, draw: random.Random) -> bytes:
    """`content` with one of the damages that files take."""
    broken = bytearray(content)
    start, length = draw.randrange(len(broken)), draw.randrange(1, 64)
    kind = draw.randrange(5)
    if kind == 0:
        broken[start] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del broken[start:]
    elif kind == 2:
        del broken[start : start + length]
    elif kind == 3:
        broken[start : start + length] = draw.randbytes(length)
    else:
        broken[start:start] = draw.randbytes(length)
    return bytes(broken)


def mutate_json(value: Any, draw: random.Random, keep: Sequence[str] = ()) -> Any:
    """A copy of a JSON value with one part replaced, removed, moved or repeated.

    Parameters
    ----------
    value
        Dictionary, not empty.
    draw
        Source of chance.
    keep
        Names at the top that stay as they are.
    """
    whole = copy.deepcopy(value)
    places = [place for place in _places(whole) if place[1] not in keep or place[0] is not whole]
    holder, key = draw.choice(places)
    kind = draw.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        other, name = draw.choice(places)
        holder[key] = copy.deepcopy(other[name])
    elif kind == 2 and isinstance(holder[key], (int, float)):
        holder[key] = holder[key] * draw.choice((-1, 2, 1000, 10**9))
    elif kind == 3 and isinstance(holder[key], str):
        holder[key] = holder[key][::-1]
    elif kind == 4 and isinstance(holder[key], list):
        holder[key] = holder[key] * 3
    else:
        holder[key] = copy.deepcopy(draw.choice(_VALUES))
    return whole


def _places(value: Any) -> list[tuple[Any, Any]]:
    pairs = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        pairs.append((value, key))
        if isinstance(item, dict | list):
            pairs.extend(_places(item))
    return pairs


def report(outcome: str) -> None:
    """Called in the child: what came of the file whose turn it is."""
    import resource

    print(json.dumps([outcome, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]), flush=True)


def in_children(
    program: str, files: Sequence[Path | str], seconds: float = 60.0
) -> collections.Counter[str]:
    """Outcomes of opening files, in a child that is started again after each crash or hang.

    Parameters
    ----------
    program
        Module that opens the files whose names are its arguments and calls `report` for each.
    files
        To be opened.
    seconds
        For one file, on a machine with much else to do.

    Returns
    -------
    How often each outcome came; 'largest growth, MB' is the largest of one file.
    """
    found: collections.Counter[str] = collections.Counter()
    left = [*files]
    while left:
        command = [sys.executable, "-m", program, *map(str, left)]
        budget = 60.0 + seconds * len(left) / 20
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=budget, check=False
            )
            lines, ended = done.stdout.splitlines(), f"exit status {done.returncode}"
            told = done.stderr.strip().splitlines()[-1:]
        except subprocess.TimeoutExpired as late:
            output = late.stdout or b""
            lines = (output if isinstance(output, str) else output.decode()).splitlines()
            ended, told = "hang", []
        results = [json.loads(line) for line in lines if line.startswith("[")]
        before = results[0][1] if results else 0
        for outcome, memory in results:
            found[outcome] += 1
            growth = (memory - before) // 1024
            found[GROWTH] = max(found[GROWTH], growth)
            before = memory
        if len(results) < len(left):
            print(f"{left[len(results)]}: {ended} {told}", file=sys.stderr)
            found[f"CRASH: {ended}"] += 1
            left = left[len(results) + 1 :]
        else:
            left = []
    return found


def outcome_of(call: Callable[[], object], expected: type[Exception]) -> str:
    """What a call came to, in few words."""
    try:
        call()
    except expected:
        return "rejected"
    except Exception as error:
        return f"RAW {type(error).__name__}: {str(error)[:100]}"
    return "loaded"
