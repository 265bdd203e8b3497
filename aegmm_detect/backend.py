"""The back end that Keras must run on, known without importing Keras."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from aegmm_detect.exceptions import ConfigurationError


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
