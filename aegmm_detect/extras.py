"""Optional packages, imported when something needs them; and the one that Keras must run on."""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from aegmm_detect.exceptions import ConfigurationError, MissingExtraError


def import_extra(module: str, extra: str, purpose: str, otherwise: str = "") -> Any:
    """Import `module`, which is no dependency of the core.

    Parameters
    ----------
    module
        Name of the package or of a module in it.
    extra
        Name of the extra that brings it.
    purpose
        What needs it, to begin a sentence with.
    otherwise
        What to do instead of installing it, a sentence.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs {module.partition('.')[0]}, which is not installed: "
            f'pip install "aegmm_detect[{extra}]". {otherwise}'.rstrip()
        ) from error


def check_keras_backend() -> None:
    """Raise unless Keras runs on TensorFlow, or will when it is imported.

    Raises
    ------
    ConfigurationError
        Names the other back end, and says how to choose TensorFlow.
    """
    backend = _keras_backend()
    if backend != "tensorflow":
        raise ConfigurationError(
            f"Keras is set to the back end {backend!r}, and the detectors need 'tensorflow': set "
            "the environment variable KERAS_BACKEND=tensorflow before Keras is imported. The light "
            "scorer of an export (aegmm_detect.scoring.Scorer) needs no back end."
        )


def _keras_backend() -> str:
    # Not by importing Keras: that fails first where the other back end is not installed.
    keras: Any = sys.modules.get("keras")
    if hasattr(keras, "config"):
        return str(keras.config.backend())
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    chosen = os.environ.get("KERAS_BACKEND")
    if not chosen:
        try:
            chosen = json.loads((home / "keras.json").read_text(encoding="utf-8")).get("backend")
        except (OSError, ValueError, AttributeError):
            chosen = None
    return chosen or "tensorflow"
