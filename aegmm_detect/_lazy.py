"""Public names that are imported on first use (PEP 562).

Importing TensorFlow takes seconds, so a package's `__init__` says where a name lives and does not
fetch it. Next to the call stand an `__all__` and, under ``if TYPE_CHECKING:``, the plain imports
that type checkers and editors read.
"""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from aegmm_detect.backend import check_keras_backend

# The release that no longer knows names which have moved by now.
GONE_IN = "0.3"


def lazy_names(
    package: str, homes: Mapping[str, str], moved: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the `__getattr__` and the `__dir__` of a package.

    Parameters
    ----------
    package
        The ``__name__`` of the package.
    homes
        Public name -> the module that defines it.
    moved
        Public name -> the package that offers it by now. Such a name still works here, is listed by
        ``dir``, and every access is a `DeprecationWarning`, at the line of the user's, that says
        where it is and when it goes from here.

    Returns
    -------
    The two functions, to be assigned to ``__getattr__, __dir__`` in the package's ``__init__``.
    """
    elsewhere = moved or {}

    def getattr_(name: str) -> Any:
        if name in elsewhere:
            warnings.warn(
                f"{package}.{name} is {elsewhere[name]}.{name} by now: import it from "
                f"{elsewhere[name]}. The old name goes in {GONE_IN}.",
                DeprecationWarning,
                stacklevel=2,
            )
            # Not kept: the next access warns, too.
            return getattr(importlib.import_module(elsewhere[name]), name)
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
        return sorted({*vars(sys.modules[package]), *homes, *elsewhere})

    return getattr_, dir_


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a module some of whose public names have changed.

    Parameters
    ----------
    module
        The ``__name__`` of the module.
    names
        Old name -> new name in the same module. Every access of an old one is a
        `DeprecationWarning`, as for `lazy_names`.
    """

    def getattr_(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(
            f"{module}.{name} is called {names[name]} by now. The old name goes in {GONE_IN}.",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(sys.modules[module], names[name])

    return getattr_
