"""Long lists in messages: a table of thousands of columns still gives an error that can be read."""

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

_MOST = 10


def some_of(items: Collection[Any], most: int = _MOST) -> str:
    """Text of the first items, and how many others there are: ``['a', 'b'] and 3 others``."""
    first = str(list(islice(items, most)))
    others = len(items) - most
    return first if others <= 0 else f"{first} and {others} other{'s' if others > 1 else ''}"


def joined(items: Iterable[Any], most: int = _MOST) -> str:
    """The same without brackets and quotes: ``a, b and 3 others``."""
    every = [str(item) for item in items]
    others = len(every) - most
    first = ", ".join(every[:most])
    return first if others <= 0 else f"{first} and {others} other{'s' if others > 1 else ''}"
