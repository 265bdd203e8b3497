"""Nets and feature functions, to bytes and names and back, with nothing in them that is code."""

import contextlib
import inspect
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
from aegmm_detect.numerics.features import Concat
from aegmm_detect.types import ReconFeatures
from aegmm_detect.untrusted.stored import read_stored

# Classes whose configuration holds code, or says where to load it from. Keras's safe mode refuses
# them, too, until someone switches it off for the whole process.
_CODE = {"__lambda__", "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_REGISTER = "@keras.saving.register_keras_serializable('my_package')"
_LAMBDA = "The object being serialized includes a `lambda`"
_UNKNOWN = re.compile(r"Could not locate (?:class|function) '([^']+)'")
_FEATURES = "recon_features"
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
            raise _not_loaded(what, error) from error


def features_to_json(function: ReconFeatures) -> dict[str, Any]:
    """A feature function by its registered name.

    Raises
    ------
    ArtefactError
        It has no name to be found by: a lambda, a partial, an object without `get_config`.
    """
    with _serialising(_FEATURES):
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(function)))
    refuse_code(config, _FEATURES)
    return config


def features_from_json(config: Any, custom_objects: Mapping[str, Any]) -> ReconFeatures:
    """Inverse of `features_to_json`.

    Raises
    ------
    ArtefactError
        A name that nothing is registered under.
    """
    refuse_code(config, _FEATURES)
    try:
        with keras.saving.custom_object_scope(dict(custom_objects)):
            function = keras.saving.deserialize_keras_object(config, safe_mode=True)
    except Exception as error:
        raise _not_loaded(_FEATURES, error) from error
    _check_feature(function, custom_objects)
    return function


def _check_feature(function: Any, custom_objects: Mapping[str, Any]) -> None:
    """Refuse Keras's own functions: they take other arguments, and some do more than compute."""
    if isinstance(function, Concat):
        for part in function.functions:
            _check_feature(part, custom_objects)
        return
    made_by = function if inspect.isfunction(function) else type(function)
    name = keras.saving.get_registered_name(made_by)
    registered = keras.saving.get_registered_object(name) is made_by
    passed = any(made_by is given for given in custom_objects.values())
    if not callable(function) or not (registered or passed):
        raise _not_known(_FEATURES, name)


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


def shortened(error: Exception) -> str:
    """Message in one line of bearable length: Keras puts whole configurations into its own."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


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
                f"{what} cannot be saved: {shortened(error)} Functions, and classes with a "
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


def _not_loaded(what: str, error: Exception) -> ArtefactError:
    if unknown := _UNKNOWN.search(str(error)):
        return _not_known(what, unknown[1])
    return ArtefactError(f"Keras cannot load {what}: {shortened(error)}")


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
