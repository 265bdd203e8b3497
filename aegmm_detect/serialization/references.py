"""What a function or a class is, written down; and found again by exactly that."""

import functools
import inspect
import types
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization import allow_list

REGISTER = "@keras.saving.register_keras_serializable('my_package')"
FUNCTION = "function"
# Parts of Keras's configurations that belong to the training of a net, and not to the net.
OF_TRAINING = ("compile_config",)
# Classes of Keras whose settings are a program, or say where to load one from.
_CODE = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


def is_function(value: Any) -> bool:
    """Whether `value` is called, and is not an object that Keras describes by its settings."""
    if isinstance(value, type) or not callable(value):
        return False
    return not hasattr(value, "get_config")


def function_reference(function: Any, what: str) -> dict[str, Any]:
    """A function by what it is: listed, registered, or of a module of the user's own.

    Parameters
    ----------
    function
        Anything that `is_function`.
    what
        Where it stands, for errors.

    Raises
    ------
    ArtefactError
        It has no name by which it, and no other, can be found again.
    """
    if (name := allow_list.name_of_function(function)) is not None:
        module, _, short = name.rpartition(".")
        return _reference(module, short, None)
    if not isinstance(function, types.FunctionType):
        raise ArtefactError(
            f"{what} is {_kind(function)}, which has no name to be found by. {_use()}"
        )
    if function.__name__ == "<lambda>":
        raise holds_code(what, "lambda")
    name = keras.saving.get_registered_name(function)
    if ">" not in name:
        return _reference(function.__module__, name, name)
    if keras.saving.get_registered_object(name) is not function:
        raise ArtefactError(
            f"{what} is called {name!r}, and that name stands for another function by now. "
            "Register each function under a name of its own."
        )
    return _reference(None, name, name)


def own_name(value: Any) -> str | None:
    """Name to ask for when `value`, a function or class that is not registered, is loaded."""
    if isinstance(value, type):
        if is_of_keras(value):
            return None
    elif allow_list.name_of_function(value) is not None:
        return None
    name = keras.saving.get_registered_name(value)
    return None if keras.saving.get_registered_object(name) is value else name


def find_function(config: Mapping[str, Any], given: Mapping[str, Any], what: str) -> Any:
    """The function that a reference stands for.

    Parameters
    ----------
    config
        As `function_reference` or Keras writes it.
    given
        What the caller passes, by name.
    what
        Where it stands, for errors.

    Raises
    ------
    ArtefactError
        None is known by that name.
    """
    name, module = config["config"], config.get("module")
    if not isinstance(name, str):
        raise ArtefactError(f"{what} describes a function without a name.")
    listed = allow_list.functions().get(f"{module}.{name}")
    if listed is not None and config.get("registered_name") is None:
        return listed
    found = find(name, given)
    if found is None or isinstance(found, type):
        raise not_known(what, name)
    return found


def find_class(config: Mapping[str, Any], given: Mapping[str, Any], what: str) -> type:
    """The class that an object's description names; see `find_function`."""
    name = config["class_name"]
    full = f"{config.get('module')}.{name}"
    registered = config.get("registered_name")
    listed = allow_list.classes().get(full)
    if listed is not None and registered in (None, name):
        return listed
    found = find(registered if isinstance(registered, str) else name, given)
    if not isinstance(found, type):
        raise not_known(what, registered or full)
    return found


def find(name: str, given: Mapping[str, Any]) -> Any:
    """What the caller passes under a name, or has registered; None if there is nothing."""
    return given.get(name) or keras.saving.get_registered_object(name)


def holds_code(what: str, kind: str) -> ArtefactError:
    """That something holds a program of its own."""
    return ArtefactError(
        f"{what} holds a {kind}: that is code, which a saved detector never has. Write a function "
        f"or a layer instead and register it: {REGISTER}."
    )


def not_known(what: str, name: object) -> ArtefactError:
    """That a name stands for nothing here."""
    if str(name).rpartition(".")[2] in _CODE:
        return holds_code(what, str(name).rpartition(".")[2])
    if isinstance(name, str) and name.partition(".")[0] in ("keras", "tensorflow", "builtins"):
        return ArtefactError(
            f"{what} needs {name!r}, which is not on the list of what a saved detector may hold. "
            f"For a layer or function of your own in its place: {REGISTER}."
        )
    return ArtefactError(
        f"{what} needs {name!r}, which is not known here. Import the module that registers it "
        f"({REGISTER}), or pass custom_objects={{{name!r}: ...}} to load_detector."
    )


def _reference(module: str | None, name: str, registered: str | None) -> dict[str, Any]:
    return {
        "module": module,
        "class_name": FUNCTION,
        "config": name,
        "registered_name": registered,
    }


def is_of_keras(cls: type) -> bool:
    """Whether a class is one of Keras's own."""
    return cls.__module__.partition(".")[0] == "keras"


def _kind(function: Any) -> str:
    if isinstance(function, np.ufunc):
        return f"NumPy's {function.__name__}"
    if isinstance(function, functools.partial):
        return "a functools.partial"
    if inspect.ismethod(function):
        return f"the bound method {function.__qualname__}"
    if hasattr(function, "python_function"):
        return "a compiled function (tf.function)"
    return f"an object of class {type(function).__name__} without get_config"


def _use() -> str:
    return (
        f"Use a function of keras.ops, or write one with def and register it: {REGISTER}. "
        "keras.ops functions are compiled with the net."
    )
