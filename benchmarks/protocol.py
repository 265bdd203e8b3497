"""How contenders are compared: in one process, turn by turn, by the medians of their turns.

A shared or throttled machine is slow for minutes at a time. Contenders that take turns every few
seconds meet the same minutes, so that the ratio of their medians holds where the times do not.
"""

import dataclasses
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OURS = "aegmm_detect"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rounds: int = 7
    features: tuple[int, ...] = (18, 118)
    epoch_rows: tuple[tuple[int, int], ...] = ((64, 200_000), (1024, 400_000))  # by batch size
    jit_compile: bool = True
    eager_steps: int = 50  # of a turn; an eager epoch would take minutes
    matmul_rows: int = 262_144  # of a turn
    score_rows: int = 262_144
    latency_calls: int = 2000
    memory_rows: tuple[int, ...] = (100_000, 1_000_000, 4_000_000)
    eager_memory_rows: tuple[int, ...] = (100_000, 1_000_000)  # 4,000,000 may need 20 GB
    fresh_processes: int = 5
    repeated_fits: int = 50
    repeated_loads: int = 200


QUICK = Sizes(
    rounds=2,
    features=(18,),
    epoch_rows=((64, 20_000),),
    eager_steps=5,
    matmul_rows=16_384,
    score_rows=32_768,
    latency_calls=100,
    memory_rows=(50_000,),
    eager_memory_rows=(50_000,),
    fresh_processes=1,
    repeated_fits=3,
    repeated_loads=5,
)


@dataclasses.dataclass
class Turns:
    """All turns of one contender."""

    count: int  # steps, rows or calls of one turn
    seconds: list[float] = dataclasses.field(default_factory=list)

    def take(self, turn: Callable[[], object]) -> None:
        """Time one turn."""
        start = time.perf_counter()
        turn()
        self.seconds.append(time.perf_counter() - start)

    @property
    def each(self) -> float:
        """Median seconds for one step, row or call."""
        return statistics.median(self.seconds) / self.count


def ratio(slow: Turns, fast: Turns) -> dict[str, float]:
    """How many times the time of `fast` is that of `slow`; by medians, and its range by rounds."""
    rounds = [
        (a / slow.count) / (b / fast.count) for a, b in zip(slow.seconds, fast.seconds, strict=True)
    ]
    return {"value": slow.each / fast.each, "lowest": min(rounds), "highest": max(rounds)}


def raw(turns: dict[str, Turns]) -> dict[str, dict[str, Any]]:
    """Every time that was taken, for the JSON file."""
    return {
        name: {"count": t.count, "seconds": [round(s, 7) for s in t.seconds]}
        for name, t in turns.items()
    }


def in_fresh_process(code: str, *args: object) -> Any:
    """Run `code` in a new interpreter; its last line of output is the result, in JSON."""
    command = [sys.executable, "-c", code, *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{args} failed with status {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def say(text: str) -> None:
    """Progress, kept apart from what a command prints as its result."""
    print(text, file=sys.stderr, flush=True)
