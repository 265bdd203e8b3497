"""A least-recently-used cache of compiled programs, by what they compute."""

import collections
import threading
from collections.abc import Callable, Hashable
from typing import Any

# A detector needs about five programs: for one row and for many, for its density, explanations and
# updates. Each takes about 7 MB as a plain graph, and more if XLA compiled it.
MOST_PROGRAMS = 64


class Programs:
    """A cache of programs by key. Each is made once, by the first caller.

    It is safe to use from many threads. While one thread makes a program, threads that need the
    same program wait, and threads that need another do not.

    Parameters
    ----------
    most
        Maximum number of programs kept.
    """

    def __init__(self, most: int = MOST_PROGRAMS) -> None:
        self._most = most
        self._kept: collections.OrderedDict[Hashable, _Slot] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._n_made = 0

    @property
    def n_made(self) -> int:
        """Number of programs made by this cache so far."""
        return self._n_made

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return the program of this key; call `make` if there is none."""
        with self._lock:
            slot = self._kept.setdefault(key, _Slot())
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        if not slot.made:
            with slot.lock:
                if not slot.made:
                    slot.program = make()
                    slot.made = True
                    with self._lock:
                        self._n_made += 1
        return slot.program

    def clear(self) -> None:
        """Remove all programs. Callers that hold one can still use it."""
        with self._lock:
            self._kept.clear()


class _Slot:
    """Place for one program. Its lock is held while the program is made."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made = False
        self.program: Any = None


# Programs of all nets whose structure is known, so that they can be shared.
PROGRAMS = Programs()
