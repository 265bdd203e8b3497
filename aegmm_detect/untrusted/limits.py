"""Limits that a child process sets itself before it touches foreign bytes.

Nothing but Python's own modules is imported, so that a child starts in a moment.
"""

import math
import signal
import sys
import time

if sys.platform != "win32":
    import resource

# What ends a process that has used up its time.
CPU_SIGNAL = 24
# Of the clock: a little more than the parent waits, should the parent itself be killed.
_ALARM = 70


def set_limits(more_bytes: int, more_seconds: float) -> None:
    """From here on: how much more memory and processor time this process may take.

    Parameters
    ----------
    more_bytes
        Of address space, over what it has now. Linux alone says how much that is, and holds to it.
    more_seconds
        Of the processor.
    """
    if sys.platform == "win32":
        return
    seconds = math.ceil(time.process_time() + more_seconds)
    limits = [(resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)]
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
        limits.append((resource.RLIMIT_AS, held + more_bytes))
    except OSError:
        pass
    for kind, limit in limits:
        hard = resource.getrlimit(kind)[1]
        # At the first limit the system says why it ends a process; at the second it does not.
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(kind, (limit, limit + 1))
    signal.alarm(_ALARM)
