"""One file that is complete at any time, however its writer dies."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from aegmm_detect.exceptions import CheckpointError
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
    # In the same folder, for only within a file system is replacing one step. A fixed name, so
    # that what a killed process leaves behind is written over by the next.
    part = path.with_name(path.name + ".tmp")
    with part.open("wb") as file:
        np.savez(file, **{_TREE: np.frombuffer(tree, np.uint8)}, **arrays)  # type: ignore[arg-type]
        file.flush()
        # Or a power cut could leave the new name with the old disk's content.
        os.fsync(file.fileno())
    os.replace(part, path)
    _sync(path.parent)


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


def _sync(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows has no handles of folders to wait for
        return
    handle = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
