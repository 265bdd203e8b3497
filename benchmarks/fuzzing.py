"""Mutations of files, and a program that makes mutants, opens them and counts what came of it.

What a fuzz looks for is anything but an error of the package's own: a crash, a hang, another
error, or memory beyond a bound. A module that fuzzes supplies three functions:
``make(folder, count, seed)`` writes mutants named ``<number>-<kind of change>`` and returns their
paths; ``open_file(path)`` is called by the child for each; ``prepare()`` before the first, or the
memory that libraries take at their start would be one file's.
"""

import argparse
import collections
import copy
import importlib
import json
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aegmm_detect.sealed_json import sealed
from benchmarks.fuzzing_child import LOADED, REJECTED, in_children

# Numbers, names and shapes that readers trip over.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 10**9, 2**31, 2**63 - 1, 2**63, 10**40, 0.5, -0.0, 1e308),
    *(float("nan"), float("inf"), "NaN", "Infinity", "", "x", "x" * 5000, "\ud800", "relu"),
    *("../x", "/etc/passwd", "os.system", "keras", "keras.config", "function", "__lambda__"),
    *([], {}, [0], [2**40], [10**6, 10**6], [[]], {"class_name": "Lambda", "config": {}}),
    {"a": {}},
)


def mutate_bytes(content: bytes, draw: random.Random) -> bytes:
    """Other bytes: `content` with one of the damages that files take."""
    if not content:
        return draw.randbytes(8)
    while (broken := _damaged(content, draw)) == content:
        pass
    return broken


def _damaged(content: bytes, draw: random.Random) -> bytes:
    broken = bytearray(content)
    start, length = draw.randrange(len(broken)), draw.randrange(1, 64)
    a, b, c = sorted(draw.randrange(len(content) + 1) for _ in range(3))
    match draw.randrange(8):
        case 0:
            broken[start] ^= 1 << draw.randrange(8)
        case 1:
            del broken[start:]
        case 2:
            del broken[start : start + length]
        case 3:
            broken[start : start + length] = draw.randbytes(length)
        case 4:
            broken[start:start] = draw.randbytes(length)
        case 5:  # two spans change places
            return content[:a] + content[b:c] + content[a:b] + content[c:]
        case 6:
            return content[: draw.choice((b, c))] + content[a:]  # a span twice
        case _:
            return content[:a] + content[b:]
    return bytes(broken)


def mutate_json(
    value: Any, draw: random.Random, keep: Sequence[str] = (), values: Sequence[Any] = VALUES
) -> Any:
    """A copy of a JSON value with one part replaced, removed, moved or repeated; never its equal.

    Parameters
    ----------
    value
        Dictionary with something in it that may change.
    draw
        Source of chance.
    keep
        Names at the top that stay as they are.
    values
        What parts are replaced by.
    """
    before = json.dumps(value)
    while True:
        whole = copy.deepcopy(value)
        places = [p for p in _places(whole) if p[1] not in keep or p[0] is not whole]
        _change(places, draw, values)
        if json.dumps(whole) != before:  # as JSON, in which 1 is not true
            return whole


def _change(places: list[tuple[Any, Any]], draw: random.Random, values: Sequence[Any]) -> None:
    holder, key = draw.choice(places)
    kind = draw.randrange(7)
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
        holder[key] = copy.deepcopy(draw.choice(values))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Container and key of every value in a tree."""
    pairs = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        pairs.append((value, key))
        if isinstance(item, dict | list):
            pairs.extend(_places(item))
    return pairs


def sealed_again(fields: dict[str, Any], key: str) -> str:
    """`fields` as JSON with a seal that fits, if they can have one."""
    try:
        return sealed(json.dumps(fields), key)
    except ValueError:  # a number that JSON has no name for
        return json.dumps(fields)


def main(program: str, description: str, most_megabytes: float, count: int = 600) -> int:
    """Make mutants, open them, and print how many of each kind came to what.

    Returns
    -------
    Exit status: 1 if one came to anything but an error of the package or success, or took more
    than `most_megabytes`; those files stay.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("--count", type=int, default=count, help=f"how many (default {count})")
    parser.add_argument("--seed", type=int, default=0, help="of the draws (default 0)")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuzz_"))
    files = importlib.import_module(program).make(folder, options.count, options.seed)
    results = in_children(program, files)
    counts = collections.Counter(
        (path.stem.partition("-")[2], result.outcome)
        for path, result in zip(files, results, strict=True)
    )
    for (kind, outcome), n in sorted(counts.items()):
        print(f"{n:6d}  {kind:10} {outcome}")
    print(f"longest {max(r.seconds for r in results):.1f} s")
    print(f"most memory {max(r.megabytes for r in results):.0f} MB")
    bad = [
        f"{path}: {result.outcome}, {result.megabytes:.0f} MB"
        for path, result in zip(files, results, strict=True)
        if result.outcome not in (REJECTED, LOADED) or result.megabytes > most_megabytes
    ]
    print("\n".join(bad) or "none ended badly")
    if not bad:
        shutil.rmtree(folder)
    return 1 if bad else 0
