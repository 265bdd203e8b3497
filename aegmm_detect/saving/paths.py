"""Where a detector may be saved, and what is there to be loaded."""

import os
from pathlib import Path
from typing import Any

from aegmm_detect.exceptions import ArtefactError, ConfigurationError
from aegmm_detect.saving.archive import SUFFIX

# Endings of files; a directory of such a name would be mistaken for one.
_OF_FILES = (
    *(".bin", ".dill", ".h5", ".hdf5", ".joblib", ".json", ".keras", ".npy", ".npz", ".onnx"),
    *(".pb", ".pickle", ".pkl", ".pt", ".pth", ".sav", ".tar", ".tflite", ".toml", ".zip"),
)


def where_to_save(filepath: Any) -> Path:
    """The place that a name stands for.

    Raises
    ------
    ConfigurationError
        The name is empty, no name, or ends like another kind of file.
    """
    path = _checked(filepath)
    if path.suffix.lower() in _OF_FILES:
        raise ConfigurationError(
            f"filepath={str(path)!r} ends in {path.suffix}: end it in {SUFFIX} for a single file, "
            "or pass the name of a directory."
        )
    # Replacing a link would leave the detector that it leads to as it was.
    return Path(os.path.realpath(path))


def where_to_load(filepath: Any) -> Path:
    """The same, of something that is there.

    Raises
    ------
    ConfigurationError
        The name is empty, or no name.
    ArtefactError
        There is nothing.
    """
    path = _checked(filepath)
    try:
        found = os.path.exists(path)
    except ValueError:  # a null byte
        found = False
    if not found:
        raise ArtefactError(
            f"{str(path)[:200]} does not exist: there is no saved detector. Pass what "
            "save_detector wrote."
        )
    return path


def _checked(filepath: Any) -> Path:
    try:
        name = os.fspath(filepath)
    except TypeError:
        name = None
    if not isinstance(name, str):
        raise ConfigurationError(
            f"filepath={filepath!r:.100}: pass the name of a directory, or one that ends in "
            f"{SUFFIX} for a single file."
        )
    if not name.strip():
        raise ConfigurationError(
            "filepath is empty: pass the name of a directory, or one that ends in "
            f"{SUFFIX}. Is an environment variable not set?"
        )
    return Path(name)
