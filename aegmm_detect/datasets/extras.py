"""Optional packages, imported when a loader needs them."""

import importlib
from typing import Any

from aegmm_detect.exceptions import MissingExtraError


def import_extra(module: str, purpose: str, otherwise: str = "") -> Any:
    """Import `module` of the extra ``data``.

    Parameters
    ----------
    module
        Name of the package.
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
            f"{purpose} needs {module}, which is not installed: "
            f'pip install "aegmm_detect[data]". {otherwise}'.rstrip()
        ) from error
