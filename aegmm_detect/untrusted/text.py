"""JSON objects with bounds on their depth and their numbers."""

import json
from typing import Any

# Nothing that the package writes is a third as deep: nets within nets take five levels each.
MOST_LEVELS = 100
# Sizes, seeds, labels of classes: what does not fit here, no array of numbers can hold either.
LARGEST_INTEGER = 2**63 - 1


def parsed_object(content: str | bytes) -> dict[str, Any] | None:
    """The JSON object in `content`; None if it is anything else, or out of bounds."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):  # no UTF-8, no JSON, or nested without end
        return None
    return fields if isinstance(fields, dict) and is_bounded(fields) else None


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
