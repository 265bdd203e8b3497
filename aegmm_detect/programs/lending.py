"""Things that are costly to make and used by one at a time: lent by key, and kept for the next."""

import collections
import threading
from collections.abc import Callable, Hashable
from typing import Any


class Lending:
    """A shelf of things by key.

    Parameters
    ----------
    most
        Kept on the shelf; those that were given back longest ago go first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._shelf: collections.OrderedDict[Hashable, list[Any]] = collections.OrderedDict()
        self._lock = threading.Lock()

    def borrow(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """One of that key from the shelf, or a new one: the borrower's alone until given back."""
        with self._lock:
            kept = self._shelf.get(key)
            if kept:
                found = kept.pop()
                if not kept:
                    del self._shelf[key]
                return found
        return make()

    def give_back(self, key: Hashable, thing: Any) -> None:
        """Put what was borrowed on the shelf."""
        with self._lock:
            self._shelf.setdefault(key, []).append(thing)
            self._shelf.move_to_end(key)
            while sum(map(len, self._shelf.values())) > self._most:
                oldest = next(iter(self._shelf))
                self._shelf[oldest].pop(0)
                if not self._shelf[oldest]:
                    del self._shelf[oldest]

    def clear(self) -> None:
        """Forget what is on the shelf."""
        with self._lock:
            self._shelf.clear()
