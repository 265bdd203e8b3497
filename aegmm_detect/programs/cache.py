"""Compiled programs by what they compute; the least recently used ones go first."""

import collections
import threading
from collections.abc import Callable, Hashable
from typing import Any

# A detector needs some five: for one row and for many, for its density, explanations, updates. Each
# takes some 7 MB as a plain graph, and more as what XLA has compiled.
MOST_PROGRAMS = 64


class Programs:
    """Programs by key, each made once, whoever asks first.

    Many threads may ask: one makes a program while others that want the same wait, and those that
    want another do not.

    Parameters
    ----------
    most
        Kept at a time.
    """

    def __init__(self, most: int = MOST_PROGRAMS) -> None:
        self._most = most
        self._kept: collections.OrderedDict[Hashable, _Slot] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._n_made = 0

    @property
    def n_made(self) -> int:
        """Programs that were made since the process began: what a run has compiled."""
        return self._n_made

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The program of that key, made by `make` if there is none."""
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
        """Forget all of them; whoever holds one can go on using it."""
        with self._lock:
            self._kept.clear()


class _Slot:
    """A place for one program, whose lock is held while it is made."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made = False
        self.program: Any = None


# Of all nets that share theirs.
PROGRAMS = Programs()
