"""One file that is complete at any time, however its writer dies; read with suspicion."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from aegmm_detect.exceptions import CheckpointError
from aegmm_detect.files import sync_folder, write_atomically
from aegmm_detect.listing import one_line
from aegmm_detect.training.plain import KINDS, named_arrays, pack, unpack
from aegmm_detect.types import Array
from aegmm_detect.untrusted.arrays import array_from_bytes, array_to_bytes
from aegmm_detect.untrusted.files import read_inside
from aegmm_detect.untrusted.stored import LARGEST, read_stored, write_stored
from aegmm_detect.untrusted.text import MOST_BRACKETS, MOST_COMMAS, has_few_parts, parsed_object

# To be counted up when what a file holds changes.
FORMAT = 1
_TREE = "tree.npy"
_MEMBER = re.compile(r"tree\.npy|(0|[1-9][0-9]{0,6})\.npy")
# Bytes of the JSON.
_LONGEST = 2**24
ADVICE = "Put back a copy of it, or delete it to train from the start."


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file in one step.

    Parameters
    ----------
    path
        Of the file, in a folder that exists.
    content
        Plain values.

    Raises
    ------
    CheckpointError
        They are more than can be read again.
    """
    arrays: dict[str, Array] = {}
    tree = json.dumps(pack({**content, "format": FORMAT}, arrays)).encode()
    if not has_few_parts(tree, _LONGEST):
        raise CheckpointError(
            f"{path} would hold more than {MOST_BRACKETS:,} lists, {MOST_COMMAS:,} values or "
            f"{_LONGEST:,} characters: let the callbacks keep their numbers in NumPy arrays."
        )
    members = {_TREE: array_to_bytes(np.frombuffer(tree, np.uint8))}
    for name, array in arrays.items():
        members[f"{name}.npy"] = array_to_bytes(array)
    if sum(map(len, members.values())) > LARGEST:
        raise CheckpointError(
            f"{path} would have more than {LARGEST:,} bytes. Fit without checkpoint_dir, or a "
            "smaller net."
        )
    write_atomically(path, write_stored(members))
    sync_folder(path.parent)


def read(path: Path) -> dict[str, Any] | None:
    """What the file holds; None if there is none.

    Raises
    ------
    CheckpointError
        The file is damaged, or not one of this kind.
    """
    try:
        file = read_inside(path.parent, path.name, LARGEST, CheckpointError)
    except FileNotFoundError:
        if not path.is_symlink():
            return None
        raise CheckpointError(f"{path} is a link to nothing. {ADVICE}") from None
    except OSError as problem:
        raise CheckpointError(f"{path} cannot be opened: {problem.strerror}.") from problem
    try:
        members = read_stored(io.BytesIO(file), path.name, _MEMBER.fullmatch, CheckpointError)
        content = _content(members)
    except (CheckpointError, ValueError) as problem:
        # Without what it advises: that is for files of all kinds.
        found = one_line(problem, 300).partition(". ")[0].rstrip(".")
        raise CheckpointError(
            f"{path} is damaged, or is not a checkpoint: {found}. {ADVICE}"
        ) from problem
    found = content.pop("format")
    if found != FORMAT:
        raise CheckpointError(
            f"{path} has format {str(found)[:40]}, and this version of aegmm_detect reads "
            f"{FORMAT}: resume with the version that wrote it, or delete the file to train from "
            "the start."
        )
    return content


def _content(members: dict[str, bytes]) -> dict[str, Any]:
    if _TREE not in members:
        raise ValueError("it holds no tree")
    arrays = {
        name.removesuffix(".npy"): array_from_bytes(members[name], name, KINDS, CheckpointError)
        for name in members
    }
    tree = arrays.pop(_TREE.removesuffix(".npy")).tobytes()
    if not has_few_parts(tree, _LONGEST):
        raise ValueError("its tree is too large")
    parsed = parsed_object(tree)
    if parsed is None:
        raise ValueError("its tree is not a JSON object, or too deep")
    if sorted(named_arrays(parsed)) != sorted(arrays):
        raise ValueError("its arrays are not those that its tree names, each once")
    content = unpack(parsed, arrays)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError("its tree is not a dictionary of named values")
    if "format" not in content:
        raise ValueError("it has no format")
    return content
