"""JSON objects with bounds on their size, their depth and their numbers."""

import json
from typing import Any

# Nothing that the package writes is a third as deep: nets within nets take five levels each.
MOST_LEVELS = 100
# Sizes, seeds, labels of classes: what does not fit here, no array of numbers can hold either.
LARGEST_INTEGER = 2**63 - 1
# Python's objects take up to 80 times the size of their text: an empty list has two characters and
# takes 64 bytes. So what makes objects is counted in the text. Names of columns take a comma each;
# nets of 10,000 layers have a quarter of the brackets.
_LONGEST, MOST_BRACKETS, MOST_COMMAS = 2**26, 2**18, 2**20


def parsed_object(content: str | bytes) -> dict[str, Any] | None:
    """The JSON object in `content`; None if it is anything else, or out of bounds."""
    if not has_few_parts(content):
        return None
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):  # no UTF-8, no JSON, or nested without end
        return None
    return fields if isinstance(fields, dict) and is_bounded(fields) else None


def has_few_parts(content: str | bytes, longest: int = _LONGEST) -> bool:
    """Whether a text is short enough to be parsed, and of few enough objects."""
    # Whatever the encoding, a character of JSON's has its own byte.
    text = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return (
        len(text) <= longest
        and text.count(b"[") + text.count(b"{") <= MOST_BRACKETS
        and text.count(b",") <= MOST_COMMAS
    )


def containers(value: Any) -> int:
    """How many lists and dictionaries there are in what JSON's reader made."""
    count, left = 0, [value]
    while left:
        item = left.pop()
        if isinstance(item, dict | list):
            count += 1
            inner = item.values() if isinstance(item, dict) else item
            left.extend(part for part in inner if isinstance(part, dict | list))
    return count


def is_bounded(value: Any) -> bool:
    """Whether what JSON's reader made is no deeper and has no larger integers than allowed."""
    level = [value]
    for _ in range(MOST_LEVELS):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            elif isinstance(item, int) and abs(item) > LARGEST_INTEGER:
                return False
        if not inner:
            return True
        level = inner
    return False
