"""How long do the imports take?

Fresh processes, in turns; a first round, which is not counted, brings the files into the cache.
"""

import statistics
from typing import Any

from benchmarks.protocol import Sizes, in_fresh_process, say

STATEMENTS = (
    "import aegmm_detect",
    "from aegmm_detect import OutlierAEGMM",
    "import tensorflow",
)

_CODE = """
import sys, time
start = time.perf_counter()
exec(sys.argv[1])
print(time.perf_counter() - start)
"""


def run(sizes: Sizes) -> list[dict[str, Any]]:
    """All statements."""
    seconds: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    for i in range(sizes.fresh_processes + 1):
        say(f"startup: round {i} of {sizes.fresh_processes}")
        for statement in STATEMENTS:
            seconds[statement].append(in_fresh_process(_CODE, statement))
    return [
        {
            "statement": statement,
            "median_seconds": statistics.median(found[1:]),
            "seconds": found[1:],
            "uncounted_first_seconds": found[0],
        }
        for statement, found in seconds.items()
    ]
