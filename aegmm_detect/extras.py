"""Optional packages, imported when something needs them."""

import importlib
from typing import Any

from aegmm_detect.exceptions import MissingExtraError


def import_extra(module: str, extra: str, purpose: str, otherwise: str = "") -> Any:
    """Import `module`, which is not a dependency of the core.

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
