"""Long texts and lists in messages, cut so that an error can still be read."""

import re
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Any

MOST = 10
_FEW = 5
# Keras writes some of its errors for a terminal, in bold.
_BOLD = re.compile("\x1b\\[[0-9;]*m")


def some_of(items: Collection[Any], most: int = MOST) -> str:
    """Text of the first items, and how many others there are: ``['a', 'b'] and 3 others``."""
    first = str(list(islice(items, most)))
    others = len(items) - most
    return first if others <= 0 else f"{first} and {others} other{'s' if others > 1 else ''}"


def first_few(items: Iterable[Any], show: Callable[[Any], str] = str) -> str:
    """Text of the first items, and whether there are others: ``1, 2, 3, 4, 5, ...``."""
    first = list(islice(items, _FEW + 1))
    return ", ".join(map(show, first[:_FEW])) + (", ..." if len(first) > _FEW else "")


def one_line(error: BaseException, most: int = 600) -> str:
    """Message of an error in one line; its type where it has none.

    Parameters
    ----------
    error
        Whose message can be long: Keras puts whole configurations into its own.
    most
        Characters that are kept, half of them from the end, where Keras puts the cause.
    """
    text = " ".join(_BOLD.sub("", str(error)).split()) or type(error).__name__
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"
