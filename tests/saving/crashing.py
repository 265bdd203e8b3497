"""A program that a fuzz runs: it crashes on the file called 'b'."""

import os
import sys

from benchmarks import fuzzing

for name in sys.argv[1:]:
    if name == "b":
        os._exit(3)
    fuzzing.report("loaded")
