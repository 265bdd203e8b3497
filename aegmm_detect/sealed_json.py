"""JSON objects that end with the sha256 of their own content: damage is seen before any is used."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def sealed(text: str, key: str) -> str:
    """The JSON object `text` with its sha256 under `key` behind the rest."""
    # What is hashed is what a reader will parse.
    fields = json.loads(text)
    return json.dumps(fields | {key: _seal(fields)}, indent=2) + "\n"


def parsed_object(content: str | bytes) -> dict[str, Any] | None:
    """The JSON object in `content`; None if it is anything else."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):  # no UTF-8, no JSON, or nested without end
        return None
    return fields if isinstance(fields, dict) else None


def unsealed(fields: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """`fields` without their seal; None if it does not fit them."""
    rest = {name: value for name, value in fields.items() if name != key}
    try:
        return rest if fields.get(key) == _seal(rest) else None
    except ValueError:  # NaN, which is no JSON
        return None


def _seal(fields: Mapping[str, Any]) -> str:
    # One spelling of the same JSON, whatever its spaces and the order of its keys.
    spelling = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(spelling.encode()).hexdigest()
