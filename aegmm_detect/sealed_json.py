"""JSON objects that end with the sha256 of their own content: damage is seen before any is used."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.untrusted.text import containers, has_few_parts, parsed_object

# Lists and dictionaries in one file: pydantic's reader takes some 2 kB for each. A detector of some
# 1,300 classes has that many.
_MOST_CONTAINERS = 2**16


def sealed(text: str, key: str) -> str:
    """The JSON object `text` with its sha256 under `key` after the rest.

    Raises
    ------
    ArtefactError
        It is more than can be read again.
    """
    # What is hashed is what a reader will parse.
    fields = json.loads(text)
    content = json.dumps(fields | {key: _seal(fields)}, indent=2) + "\n"
    if not has_few_parts(content) or containers(fields) > _MOST_CONTAINERS:
        raise ArtefactError(
            f"The description would have {len(content):,} characters and {content.count(','):,} "
            "commas, more than can be read again. Are there very many names of columns? Fit to an "
            "array, which has none. Very many classes? Save their detectors one by one."
        )
    return content


def unsealed(fields: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """`fields` without their seal; None if it does not fit them."""
    rest = {name: value for name, value in fields.items() if name != key}
    try:
        return rest if fields.get(key) == _seal(rest) else None
    except ValueError:  # NaN, which JSON has no name for
        return None


_Model = TypeVar("_Model", bound=BaseModel)
# Of names within a file.
_LONGEST_NAME = 100


class Kind(NamedTuple):
    """One kind of sealed file."""

    mark: tuple[str, str]  # name and value of a field that all files of the kind have
    version: int  # newest "format_version" that this release reads
    key: str  # of the seal
    what: str  # of a foreign or damaged file: what it is not, and what to pass in its place
    again: str  # how to make it again
    most_containers: int = _MOST_CONTAINERS


def read_sealed(model: type[_Model], content: str | bytes, where: str, kind: Kind) -> _Model:
    """A file of that kind, its values checked.

    Parameters
    ----------
    model
        What it holds.
    content
        As read.
    where
        For errors.
    kind
        What it should be.

    Raises
    ------
    ArtefactError
        Foreign, of a newer format, damaged, or with values that do not fit.
    """
    fields = _checked_fields(content, where, kind)
    try:
        # As JSON, in which a list stands for a tuple.
        return model.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        problem = error.errors()[0]
        what = ".".join(str(part)[:_LONGEST_NAME] for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ")
        raise ArtefactError(f"{where} does not fit its format: {what}: {text}.") from error


def _checked_fields(content: str | bytes, where: str, kind: Kind) -> dict[str, Any]:
    """Fields of a file of that kind, without the seal; their values are not checked."""
    fields = parsed_object(content)
    name, value = kind.mark
    if fields is None or fields.get(name) != value:
        raise ArtefactError(f"{where} is {kind.what}")
    version = fields.get("format_version")
    # Before the seal: a newer format may seal otherwise.
    if isinstance(version, int) and version > kind.version:
        raise ArtefactError(
            f"{where} has format version {version}; this release reads up to {kind.version}. "
            "Upgrade: pip install -U aegmm_detect."
        )
    if containers(fields) > kind.most_containers:
        raise ArtefactError(
            f"{where} does not fit its format: more than {kind.most_containers:,} lists and "
            f"dictionaries. {kind.again}"
        )
    if (rest := unsealed(fields, kind.key)) is None:
        raise ArtefactError(
            f"{where} is damaged or was edited: it does not have the sha256 that it ends with. "
            f"{kind.again}"
        )
    return rest


def _seal(fields: Mapping[str, Any]) -> str:
    # One spelling of the same JSON, whatever its spaces and the order of its keys.
    spelling = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(spelling.encode()).hexdigest()
