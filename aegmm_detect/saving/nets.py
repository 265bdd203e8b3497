"""Nets and feature functions, to bytes and names and back, with nothing in them that is code."""

import contextlib
import io
import json
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.saving.stored import read_stored
from aegmm_detect.types import ReconFeatures

# Classes whose configuration holds code, or says where to load it from. Keras's safe mode refuses
# them, too, until someone switches it off for the whole process.
_CODE = {"__lambda__", "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_REGISTER = "@keras.saving.register_keras_serializable('my_package')"
_LAMBDA = "The object being serialized includes a `lambda`"
_UNKNOWN = re.compile(r"Could not locate (?:class|function) '([^']+)'")
_LONGEST = 300  # characters
_PARTS_OF_NET = ("metadata.json", "config.json", "model.weights.h5")


def net_to_bytes(net: keras.Model, what: str) -> bytes:
    """The net as a `.keras` file: configuration and weights, without the optimizer's state.

    Parameters
    ----------
    net
        Built.
    what
        Its role, for errors.

    Raises
    ------
    ArtefactError
        The net has no weights yet, holds a lambda, or is none that Keras can save.
    """
    if not net.built:
        raise ArtefactError(
            f"{what} has no weights yet. Begin it with keras.Input(shape), or call fit first."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.keras"
        with _serialising(what):
            net.save(path)
        content = path.read_bytes()
    refuse_code(_config_of(content, what), what)
    return content


def net_from_bytes(content: bytes, what: str, custom_objects: Mapping[str, Any]) -> keras.Model:
    """Inverse of `net_to_bytes`.

    Parameters
    ----------
    content
        As saved.
    what
        Its role, for errors.
    custom_objects
        Layers and functions that are not registered, by name.

    Raises
    ------
    ArtefactError
        Not a net, or one that holds code.
    """
    refuse_code(_config_of(content, what), what)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.keras"
        path.write_bytes(content)
        try:
            return keras.saving.load_model(
                path, custom_objects=dict(custom_objects), compile=False, safe_mode=True
            )
        # Keras raises whatever a configuration leads it to.
        except Exception as error:
            if unknown := _UNKNOWN.search(str(error)):
                raise _not_known(what, unknown[1]) from error
            raise ArtefactError(f"Keras cannot load {what}: {_shortened(error)}") from error


def features_to_json(function: ReconFeatures, what: str = "recon_features") -> dict[str, Any]:
    """A feature function by its registered name.

    Raises
    ------
    ArtefactError
        It has no name to be found by: a lambda, a partial, an object without `get_config`.
    """
    with _serialising(what):
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(function)))
    refuse_code(config, what)
    return config


def features_from_json(config: dict[str, Any], custom_objects: Mapping[str, Any]) -> ReconFeatures:
    """Inverse of `features_to_json`.

    Raises
    ------
    ArtefactError
        A name that nothing is registered under.
    """
    what = "recon_features"
    refuse_code(config, what)
    for part in _objects(config):
        is_function = part["class_name"] == "function"
        name = part.get("config" if is_function else "registered_name")
        # Keras's own functions take other arguments; none of them is a feature.
        if not isinstance(name, str) or not keras.saving.get_registered_object(
            name, custom_objects=dict(custom_objects)
        ):
            raise _not_known(what, name)
    with keras.saving.custom_object_scope(dict(custom_objects)):
        function = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not callable(function):
        raise ArtefactError(f"{what} is a {type(function).__name__}, not a function.")
    return function


def refuse_code(config: Any, what: str) -> None:
    """Refuse a Keras configuration that holds code.

    Raises
    ------
    ArtefactError
        Names the class and what to use instead.
    """
    for part in _objects(config):
        if part["class_name"] in _CODE:
            raise _has_code(what, part["class_name"].strip("_"))


@contextlib.contextmanager
def _serialising(what: str) -> Iterator[None]:
    """What Keras and the user's own classes say while they are serialised, as our own error."""
    with warnings.catch_warnings():
        # Some lambdas leave no trace in the configuration by which they could be found later.
        warnings.filterwarnings("error", message=_LAMBDA)
        try:
            yield
        # The user's own classes can fail in any way.
        except Exception as error:
            if isinstance(error, UserWarning) and re.match(_LAMBDA, str(error)):
                raise _has_code(what, "lambda") from None
            raise ArtefactError(
                f"{what} cannot be saved: {_shortened(error)} Functions, and classes with a "
                f"get_config, can be saved if they are registered: {_REGISTER}; lambdas cannot."
            ) from error


def _has_code(what: str, kind: str) -> ArtefactError:
    return ArtefactError(
        f"{what} holds a {kind}: that is code, which a saved detector never has. Write a function "
        f"or a layer instead and register it: {_REGISTER}."
    )


def _not_known(what: str, name: object) -> ArtefactError:
    return ArtefactError(
        f"{what} needs {name!r}, which is not known here. Import the module that registers it "
        f"({_REGISTER}), or pass custom_objects={{{name!r}: ...}} to load_detector."
    )


def _shortened(error: Exception) -> str:
    """Keras puts whole configurations into its messages."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every object that is described anywhere in a Keras configuration."""
    left = [config]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                yield value
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def _config_of(content: bytes, what: str) -> Any:
    """Configuration in a `.keras` file."""

    def allowed(name: str) -> bool:
        # Vocabularies of text layers are assets.
        inside = name.startswith("assets/") and ".." not in name.split("/") and "\\" not in name
        return name in _PARTS_OF_NET or inside

    members = read_stored(io.BytesIO(content), what, allowed)
    return json.loads(members.get("config.json", b"null"))
