"""Public names that are imported on first use (PEP 562).

Importing TensorFlow takes seconds, so a package's `__init__` says where a name lives and does not
fetch it. Next to the call stand an `__all__` and, under ``if TYPE_CHECKING:``, the plain imports
that type checkers and editors read.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from aegmm_detect.backend import check_keras_backend


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the `__getattr__` and the `__dir__` of a package.

    Parameters
    ----------
    package
        The ``__name__`` of the package.
    homes
        Public name -> the module that defines it.

    Returns
    -------
    The two functions, to be assigned to ``__getattr__, __dir__`` in the package's ``__init__``.
    """

    def getattr_(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            value = getattr(importlib.import_module(homes[name]), name)
        except ImportError:
            check_keras_backend()  # Keras cannot be imported on a back end that is not installed
            raise
        setattr(sys.modules[package], name, value)  # the next access does not come here
        return value

    def dir_() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return getattr_, dir_
