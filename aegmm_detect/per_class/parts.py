"""A detector that holds one for each class, in parts and back."""

from collections.abc import Hashable
from typing import Any

from aegmm_detect.configs.input import InputEntry
from aegmm_detect.detector.parts import Parts
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.od.mixture import MixtureDetector

_TEMPLATE = "template"


def parts_of(detector: Any) -> Parts:
    """The detectors of which it is made, by name: the classes' by number, and the template.

    Raises
    ------
    ArtefactError
        There is nothing but a function that makes them; a label that no file can hold.
    """
    children = {str(number): member for number, member in enumerate(detector.members.values())}
    rows = None
    if children:
        first = children["0"].state
        rows = InputEntry(
            shape=first.row_shape,
            dtype=first.row_dtype,
            names=detector.names,
            eager=first.eager,
        )
    if detector.template is not None:
        children[_TEMPLATE] = detector.template
    if not children:
        raise ArtefactError(
            "This detector is not fitted and is made of a function, which no file can hold. Save "
            "it after fit, or make it of an OutlierAEGMM."
        )
    settings = {
        "config": detector.config.model_dump(mode="json"),
        "net": {"kind": "ready"},  # those of its parts
        "labels": tuple(_as_label(label) for label in detector.members),
    }
    return Parts(settings, rows=rows, children=children)


def members_from(parts: Parts) -> tuple[Any, dict[Hashable, Any]]:
    """Template, or None, and the detectors by label.

    Raises
    ------
    ArtefactError
        Detectors that are missing or do not fit.
    """
    labels = tuple(parts.settings["labels"])
    wanted = [str(number) for number in range(len(labels))]
    if [name for name in parts.children if name != _TEMPLATE] != wanted:
        raise ArtefactError(f"It holds {sorted(parts.children)} for {len(wanted)} classes.")
    parts.check_nets()
    if parts.arrays:
        raise ArtefactError(f"The saved state holds {sorted(parts.arrays)}, unknown here.")
    members: dict[Hashable, Any] = {
        label: parts.children[str(number)] for number, label in enumerate(labels)
    }
    if len(members) < len(labels):
        raise ArtefactError("It holds a class label twice.")
    if any(not isinstance(part, MixtureDetector) for part in parts.children.values()):
        raise ArtefactError("It is made of other detectors than those of mixtures.")
    fitted = {member.fitted for member in members.values()}
    if fitted != ({True} if parts.rows is not None else set()):
        raise ArtefactError("Its detectors are not fitted, or there are none.")
    return parts.children.get(_TEMPLATE), members


def _as_label(label: Hashable) -> bool | int | float | str:
    # No subclasses: they would come back as something else.
    if isinstance(label, (bool, int, float, str)) and type(label) in (bool, int, float, str):
        return label
    raise ArtefactError(
        f"Class label {label!r} is a {type(label).__name__}, which no file of plain values can "
        "hold: fit with labels that are text or numbers, or pickle the detector."
    )
