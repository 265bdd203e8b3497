"""A configuration whose every object is vetted, and handed to Keras under a name of its own.

Keras joins modules with names and looks in many places for what they stand for, and some of what it
finds there it calls. So each name is resolved here, against the list and what the caller knows, and
replaced by one that only leads to the object that was found.
"""

from collections.abc import Mapping
from typing import Any

from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.serialization.references import (
    FUNCTION,
    OF_TRAINING,
    find_class,
    find_function,
    holds_code,
)
from aegmm_detect.untrusted.text import is_bounded

# Values that Keras writes as objects: numbers and text, an argument that is a tensor of the graph.
_VALUES = {"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"}
# Types of arrays among them: a text of any length would be one, too.
_NUMBERS = {"bool", "bfloat16", "float16", "float32", "float64"} | {
    f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
}
# A net of a thousand layers has some eight thousand.
_MOST_OBJECTS = 20_000
# Calls of layers in one pass; a model in a model in a model can ask for a number without end.
_MOST_CALLS = 5000
# Widths, windows, strides, factors: more than a layer may make of one row is never right. Seeds
# are of any size.
_LARGEST_SETTING = 2**24
# Pieces into which an operation cuts a tensor, each of which is a tensor of its own.
_MOST_PIECES = 1000
_PIECES = ("indices_or_sections", "num")


class Vetted:
    """A configuration that Keras may see.

    Parameters
    ----------
    config
        As `vet` has made it.
    objects
        What its names stand for: to be passed to Keras as custom objects.
    """

    def __init__(self, config: Any, objects: dict[str, Any]) -> None:
        self.config = config
        self.objects = objects

    @property
    def has_own_classes(self) -> bool:
        """Whether some are neither of Keras nor of this package."""
        packages = {
            found.__module__.partition(".")[0]
            for found in self.objects.values()
            if isinstance(found, type)
        }
        return bool(packages - {"keras", "aegmm_detect"})


def vet(config: Any, given: Mapping[str, Any], what: str) -> Vetted:
    """Vet a configuration.

    Parameters
    ----------
    config
        As read from a file.
    given
        Objects that the caller passes, by name.
    what
        Role of the object, for errors.

    Raises
    ------
    ArtefactError
        It names what is neither listed nor known to the caller, or asks for too much.
    """
    if not is_bounded(config):
        raise ArtefactError(f"{what} is described by too many levels or too large a number.")
    resolver = _Resolver(given, what)
    resolved = resolver.resolved(config)
    _check_calls(resolved, what)
    return Vetted(resolved, resolver.objects)


class _Resolver:
    def __init__(self, given: Mapping[str, Any], what: str) -> None:
        self._given, self._what = given, what
        self.objects: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._n_objects = 0

    def resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.resolved(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "class_name" not in value:
            return {key: self._setting(key, item) for key, item in value.items()}
        return self._object(value)

    def _setting(self, key: str, value: Any) -> Any:
        numbers = value if isinstance(value, list) else [value]
        largest = max((abs(n) for n in numbers if isinstance(n, int)), default=0)
        limit = _MOST_PIECES if key in _PIECES else _LARGEST_SETTING
        if largest > limit and key != "seed":
            raise ArtefactError(
                f"{self._what} is described with {key}={largest:,}; at most {limit:,} fits."
            )
        # What Python takes for true, the plan of the net would not.
        if key == "unroll" and not isinstance(value, bool):
            raise ArtefactError(f"{self._what} is described with unroll={value!r:.50}.")
        return self.resolved(value)

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        self._n_objects += 1
        if self._n_objects > _MOST_OBJECTS:
            raise ArtefactError(f"{self._what} is made of more than {_MOST_OBJECTS:,} objects.")
        name = value["class_name"]
        # An object without a module is read in an old way, which looks elsewhere.
        if isinstance(name, str) and name.startswith("__") and name not in _VALUES:
            raise holds_code(self._what, name.strip("_"))
        complete = isinstance(name, str) and "config" in value
        if not complete or ("module" not in value and name not in _VALUES):
            raise ArtefactError(f"{self._what} holds {name!r:.100}, described in no known way.")
        if name in _VALUES:
            self._check_numbers(name, value["config"])
            return {key: self.resolved(item) for key, item in value.items()}
        if name == FUNCTION:
            function = find_function(value, self._given, self._what)
            alias = self._alias(function)
            return {
                "module": None,
                "class_name": FUNCTION,
                "config": alias,
                "registered_name": alias,
            }
        rest = {
            key: self.resolved(item)
            for key, item in value.items()
            if key not in ("class_name", "module", "registered_name", *OF_TRAINING)
        }
        if not isinstance(rest["config"], dict):
            raise ArtefactError(f"{self._what} holds a {name!r} without settings.")
        alias = self._alias(find_class(value, self._given, self._what))
        return {**rest, "module": None, "class_name": name, "registered_name": alias}

    def _check_numbers(self, name: str, array: Any) -> None:
        if name in ("__numpy__", "__tensor__") and not (
            isinstance(array, dict)
            and array.get("dtype") in _NUMBERS
            and _are_numbers(array.get("value"))
        ):
            raise ArtefactError(f"{self._what} holds an array of something other than numbers.")

    def _alias(self, found: Any) -> str:
        """A name under which Keras finds this object and no other."""
        if id(found) not in self._names:
            self._names[id(found)] = alias = f"aegmm_detect:{len(self._names)}"
            self.objects[alias] = found
        return self._names[id(found)]


def _are_numbers(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_are_numbers, value))
    return isinstance(value, int | float)


def _check_calls(config: Any, what: str) -> None:
    if _calls(config) > _MOST_CALLS:
        raise ArtefactError(
            f"{what} has too many layers: building it could take minutes. A functional model may "
            "have a few thousand, a Sequential 100."
        )


def _calls(value: Any, in_sequence: bool = True) -> int:
    """Calls of layers that building an object makes, where it has layers.

    Parameters
    ----------
    value
        Of a configuration.
    in_sequence
        Whether the object that it belongs to adds its layers one after the other.
    """
    if isinstance(value, list):
        return sum(_calls(item, in_sequence) for item in value)
    if not isinstance(value, dict):
        return 0
    if "class_name" in value:
        # By the class: a Sequential passes over `inbound_nodes`.
        in_sequence = value["class_name"] != "Functional"
    if not isinstance(layers := value.get("layers"), list):
        return sum(_calls(item, in_sequence) for item in value.values())
    calls = 0
    for layer in layers:
        nodes = layer.get("inbound_nodes") if isinstance(layer, dict) else None
        calls += (1 + _calls(layer)) * max(1, len(nodes) if isinstance(nodes, list) else 1)
    # For each layer that it adds, Keras passes through all of a Sequential again.
    times = max(1, len(layers) // 2) if in_sequence else 1
    # Python's numbers know no bound, but writing large ones down takes time.
    return min(calls * times, 10**9)
