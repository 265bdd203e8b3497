"""One file that is complete at any time, however its writer dies."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from aegmm_detect.exceptions import CheckpointError
from aegmm_detect.files import sync_folder, write_atomically
from aegmm_detect.training.plain import pack, unpack
from aegmm_detect.types import Array

# To be counted up when what a file holds changes.
FORMAT = 1
_TREE = "tree"


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file in one step.

    Parameters
    ----------
    path
        Of the file, in a folder that exists.
    content
        Plain values.
    """
    arrays: dict[str, Array] = {}
    tree = json.dumps(pack({**content, "format": FORMAT}, arrays)).encode()
    stream = io.BytesIO()
    np.savez(stream, **{_TREE: np.frombuffer(tree, np.uint8)}, **arrays)  # type: ignore[arg-type]
    write_atomically(path, stream.getvalue())
    sync_folder(path.parent)


def read(path: Path) -> dict[str, Any] | None:
    """What the file holds; None if there is none.

    Raises
    ------
    CheckpointError
        The file is damaged, or none of this kind.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            # Whole members: only at its end does `zipfile` compare a member's checksum.
            arrays = {
                name.removesuffix(".npy"): npy.read_array(
                    io.BytesIO(archive.read(name)), allow_pickle=False
                )
                for name in archive.namelist()
            }
        content = dict(unpack(json.loads(arrays.pop(_TREE).tobytes()), arrays))
        found = content.pop("format")
    # What damaged bytes raise depends on where they are: a dozen classes, of four parsers.
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}: {error}): it is "
            "damaged, or no file of this kind. Put back a copy of it, or delete it to train from "
            "the start."
        ) from error
    if found != FORMAT:
        raise CheckpointError(
            f"{path} has format {found!r}, and this version of aegmm_detect reads {FORMAT}: resume "
            "with the version that wrote it, or delete the file to train from the start."
        )
    return content
