"""A pool of expensive objects by key."""

import collections
import threading
from collections.abc import Callable, Hashable
from typing import Any


class Lending:
    """A pool of expensive objects by key. Each is used by one borrower at a time.

    Parameters
    ----------
    most
        Maximum number of unused objects kept. An object of the key that was least recently given
        back goes first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._shelf: collections.OrderedDict[Hashable, list[Any]] = collections.OrderedDict()
        self._lock = threading.Lock()

    def borrow(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Take an object of this key from the pool, or make one. Nobody else gets it meanwhile."""
        with self._lock:
            kept = self._shelf.get(key)
            if kept:
                found = kept.pop()
                if not kept:
                    del self._shelf[key]
                return found
        return make()

    def give_back(self, key: Hashable, thing: Any) -> None:
        """Return a borrowed object to the pool."""
        with self._lock:
            self._shelf.setdefault(key, []).append(thing)
            self._shelf.move_to_end(key)
            while sum(map(len, self._shelf.values())) > self._most:
                oldest = next(iter(self._shelf))
                self._shelf[oldest].pop(0)
                if not self._shelf[oldest]:
                    del self._shelf[oldest]

    def clear(self) -> None:
        """Remove all objects from the pool."""
        with self._lock:
            self._shelf.clear()
