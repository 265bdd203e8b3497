"""Long lists in messages: a table of thousands of columns still gives an error that can be read."""

from collections.abc import Collection
from itertools import islice
from typing import Any

MOST = 10


def some_of(items: Collection[Any], most: int = MOST) -> str:
    """Text of the first items, and how many others there are: ``['a', 'b'] and 3 others``."""
    first = str(list(islice(items, most)))
    others = len(items) - most
    return first if others <= 0 else f"{first} and {others} other{'s' if others > 1 else ''}"
