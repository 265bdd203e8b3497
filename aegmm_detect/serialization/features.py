"""Feature functions as plain data and back."""

import json
from collections.abc import Mapping
from typing import Any

import keras

from aegmm_detect.exceptions import AEGMMError, ArtefactError
from aegmm_detect.listing import one_line
from aegmm_detect.numerics.features import Concat
from aegmm_detect.serialization import allow_list
from aegmm_detect.serialization.describe import Described, describe
from aegmm_detect.serialization.nets import keras_at_work
from aegmm_detect.serialization.references import FUNCTION, is_function, is_of_keras, not_known
from aegmm_detect.serialization.vet import vet
from aegmm_detect.types import ReconFeatures

_FEATURES = "recon_features"


def features_to_json(function: ReconFeatures) -> tuple[dict[str, Any], Described]:
    """A feature function by what it is, and the functions that it holds.

    Raises
    ------
    ArtefactError
        It has no name to be found by: a lambda, a partial, an object without `get_config`.
    """
    if is_function(function):
        described = Described(_FEATURES)
        config = described.add_function(_FEATURES, function)
    else:
        with keras_at_work(_FEATURES):
            config = json.loads(json.dumps(keras.saving.serialize_keras_object(function)))
        described = describe(config, function, _FEATURES)
    _check(function)
    return config, described


def features_from_json(config: Any, given: Mapping[str, Any]) -> ReconFeatures:
    """Inverse of `features_to_json`.

    Parameters
    ----------
    config
        Of any origin.
    given
        Functions and classes that are not registered, by name.

    Raises
    ------
    ArtefactError
        It names what is not known, or what is no feature function.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        raise ArtefactError(f"{_FEATURES} is described in no known way.")
    vetted = vet(config, given, _FEATURES)
    if config["class_name"] == FUNCTION:
        function = vetted.objects[vetted.config["config"]]
    else:
        try:
            function = keras.saving.deserialize_keras_object(
                vetted.config, custom_objects=vetted.objects, safe_mode=True
            )
        except AEGMMError:
            raise
        except Exception as error:  # Keras raises whatever a configuration leads it to
            raise ArtefactError(f"Keras cannot load {_FEATURES}: {one_line(error)}") from error
    _check(function)
    return function


def _check(function: Any) -> None:
    """Refuse Keras's own objects, which take other arguments."""
    for part in function.functions if isinstance(function, Concat) else (function,):
        listed = allow_list.name_of_function(part) or is_of_keras(type(part))
        if not callable(part) or listed:
            name = (
                allow_list.name_of_function(part)
                or f"{type(part).__module__}.{type(part).__name__}"
            )
            raise not_known(_FEATURES, name)
