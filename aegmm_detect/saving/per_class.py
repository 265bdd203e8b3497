"""A detector that holds one for each class, as an artefact made of theirs."""

from collections.abc import Hashable, Mapping
from typing import Any

from aegmm_detect.calibration import Calibration
from aegmm_detect.configs.aegmm import DetectorConfig
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.per_class.detector import PerClassAEGMM
from aegmm_detect.saving.manifest import (
    Artefact,
    Manifest,
    NetEntry,
    ThresholdEntry,
    file_entry,
)
from aegmm_detect.saving.state import arrays_from_bytes, arrays_to_bytes

_STATE = "state"
_SCORES = "calibration.scores"
_TEMPLATE = "template"


def parts_of(detector: PerClassAEGMM) -> dict[str, Any]:
    """The detectors of which it is made, by name: the classes' by number, and the template.

    Raises
    ------
    ArtefactError
        There is nothing but a function that makes them.
    """
    parts = {str(number): member for number, member in enumerate(detector.members.values())}
    if detector.template is not None:
        parts[_TEMPLATE] = detector.template
    if not parts:
        raise ArtefactError(
            "This detector is not fitted and is made of a function, which no file can hold. Save "
            "it after fit, or make it of an OutlierAEGMM."
        )
    return parts


def joined(
    detector: PerClassAEGMM, parts: Mapping[str, Artefact], versions: Mapping[str, str]
) -> Artefact:
    """One artefact of those of its `parts`, by name.

    Raises
    ------
    ArtefactError
        A label that JSON cannot hold.
    """
    contents = {
        f"{name}.{role}": content
        for name, part in parts.items()
        for role, content in part.contents.items()
    }
    files = {
        f"{name}.{role}": entry
        for name, part in parts.items()
        for role, entry in part.manifest.files.items()
    }
    if detector.calibration is not None:
        contents[_STATE] = arrays_to_bytes({_SCORES: detector.calibration.scores})
        files[_STATE] = file_entry(_STATE, contents[_STATE])
    rows = None
    if detector.fitted:
        rows = next(iter(parts.values())).manifest.input
        assert rows is not None  # its members are fitted
        rows = rows.replace(names=detector.names)
    manifest = Manifest(
        detector=type(detector).__name__,
        config=detector.config.model_dump(mode="json"),
        fit_config={},  # the template's
        net=NetEntry(kind="ready"),  # those of its parts
        threshold=ThresholdEntry(value=detector.threshold, inferred=detector.threshold_inferred),
        input=rows,
        versions=dict(versions),
        files=files,
        detectors={name: part.manifest for name, part in parts.items()},
        labels=tuple(_as_label(label) for label in detector.members),
    )
    return Artefact(manifest, contents)


def split(artefact: Artefact) -> dict[str, Artefact]:
    """The artefacts of its parts, by name.

    Raises
    ------
    ArtefactError
        Parts that are missing, are made of parts, or do not have the files that they name.
    """
    manifest, contents = artefact
    wanted = [str(number) for number in range(len(manifest.labels))]
    if [name for name in manifest.detectors if name != _TEMPLATE] != wanted:
        raise ArtefactError(f"It holds {sorted(manifest.detectors)} for {len(wanted)} classes.")
    files = {
        f"{name}.{role}": entry
        for name, part in manifest.detectors.items()
        for role, entry in part.files.items()
    }
    found = {role: entry for role, entry in manifest.files.items() if role != _STATE}
    if found != files or any(part.detectors for part in manifest.detectors.values()):
        raise ArtefactError("Its files are not those of the detectors that it is made of.")
    return {
        name: Artefact(part, {role: contents[f"{name}.{role}"] for role in part.files})
        for name, part in manifest.detectors.items()
    }


def restored(artefact: Artefact, parts: Mapping[str, Any]) -> PerClassAEGMM:
    """Inverse of `joined`.

    Parameters
    ----------
    artefact
        Of the whole.
    parts
        Its detectors, by name.
    """
    manifest = artefact.manifest
    members: dict[Hashable, Any] = {
        label: parts[str(number)] for number, label in enumerate(manifest.labels)
    }
    if len(members) < len(manifest.labels):
        raise ArtefactError("It holds a class label twice.")
    fitted = {part.fitted for part in members.values()}
    if fitted != ({True} if manifest.input is not None else set()):
        raise ArtefactError("Its detectors are not fitted, or there are none.")
    calibration = None
    if _STATE in artefact.contents:
        arrays = arrays_from_bytes(artefact.contents[_STATE])
        if arrays.keys() != {_SCORES}:
            raise ArtefactError(f"The saved state holds {sorted(arrays)}, unknown here.")
        calibration = Calibration(arrays[_SCORES])
    return PerClassAEGMM.of_parts(
        parts.get(_TEMPLATE),
        members,
        DetectorConfig.of(**manifest.config),
        manifest.threshold.value,
        manifest.threshold.inferred,
        calibration,
        None if manifest.input is None else manifest.input.names,
    )


def _as_label(label: Hashable) -> bool | int | float | str:
    # No subclasses: they would come back as something else.
    if isinstance(label, (bool, int, float, str)) and type(label) in (bool, int, float, str):
        return label
    raise ArtefactError(
        f"Class label {label!r} is a {type(label).__name__}, which no file of plain values can "
        "hold: fit with labels that are text or numbers, or pickle the detector."
    )
