"""Detectors as artefacts in memory and back, whatever their kind."""

import platform
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from aegmm_detect.calibration import Calibration
from aegmm_detect.detector.parts import Parts
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.registry import saved_classes
from aegmm_detect.saving.arrays import arrays_from_bytes, arrays_to_bytes
from aegmm_detect.saving.manifest import Artefact, Manifest, ThresholdEntry, file_entry
from aegmm_detect.saving.nets import net_from_bytes, net_to_bytes
from aegmm_detect.saving.round_trip import check_comes_back
from aegmm_detect.serialization.describe import Described
from aegmm_detect.serialization.nets import deserialize_net, serialize_net
from aegmm_detect.version import __version__

_STATE = "state"
_CALIBRATION = "calibration.scores"
# Sections of a manifest that are the detector's own.
_SECTIONS = ("config", "fit_config", "net", "blueprint", "labels")


def artefact_of(detector: Any, check: bool = False) -> Artefact:
    """All of a detector, as bytes.

    Parameters
    ----------
    detector
        One of the registry's.
    check
        Whether to make sure that it comes back the same.

    Raises
    ------
    ArtefactError
        It cannot be saved so that it does.
    """
    classes = saved_classes()
    name = type(detector).__name__
    if name not in classes or classes[name]() is not type(detector):
        raise ArtefactError(
            f"save_detector saves {', '.join(sorted(classes))}; it got a {name}. A class of your "
            "own can be pickled."
        )
    parts = detector.to_parts()
    children = {name: artefact_of(child, check) for name, child in parts.children.items()}
    own = _Own(parts.described)
    contents: dict[str, bytes] = {}
    for role, net in parts.nets.items():
        net_parts, described = serialize_net(net, role)
        contents[role] = net_to_bytes(net_parts)
        own.add(described)
    arrays = dict(parts.arrays)
    if detector.calibration is not None:
        arrays[_CALIBRATION] = detector.calibration.scores
    if arrays:
        contents[_STATE] = arrays_to_bytes(arrays)
    files = {role: file_entry(role, content) for role, content in contents.items()}
    for name_of_child, child in children.items():
        for role, content in child.contents.items():
            contents[f"{name_of_child}.{role}"] = content
            files[f"{name_of_child}.{role}"] = child.manifest.files[role]
    manifest = Manifest(
        detector=name,
        **parts.settings,
        threshold=ThresholdEntry(value=detector.threshold, inferred=detector.threshold_inferred),
        input=parts.rows,
        versions=versions(),
        files=files,
        detectors={name: child.manifest for name, child in children.items()},
    )
    artefact = Artefact(manifest, contents)
    if check and not children:  # which have been checked one by one
        check_comes_back(detector, detector_from(artefact, own.objects))
    return artefact


class _Own:
    """What the parts of a detector hold that is not registered, by name."""

    def __init__(self, described: tuple[Described, ...]) -> None:
        self.objects: dict[str, Any] = {}
        for part in described:
            self.add(part)

    def add(self, described: Described) -> None:
        for name, value in described.own.items():
            if self.objects.setdefault(name, value) is not value:
                raise ArtefactError(
                    f"{described.what} and another part of the detector hold different objects "
                    f"called {name!r}. Register them under different names."
                )


def detector_from(artefact: Artefact, custom_objects: Mapping[str, Any]) -> Any:
    """Inverse of `artefact_of`."""
    manifest = artefact.manifest
    classes = saved_classes()
    if manifest.detector not in classes:
        raise ArtefactError(
            f"No detector is called {manifest.detector!r:.50}. There are: "
            f"{', '.join(sorted(classes))}."
        )
    cls = classes[manifest.detector]()  # which registers the layers of its nets
    children = {
        name: detector_from(child, custom_objects) for name, child in _children(artefact).items()
    }
    own = {role: data for role, data in artefact.contents.items() if "." not in role}
    arrays = arrays_from_bytes(own.pop(_STATE)) if _STATE in own else {}
    scores = arrays.pop(_CALIBRATION, None)
    nets = {
        role: deserialize_net(net_from_bytes(content, role), role, custom_objects)
        for role, content in own.items()
    }
    settings = {name: getattr(manifest, name) for name in _SECTIONS}
    # Of releases up to 0.1, which had one kind.
    settings["config"] = {k: v for k, v in settings["config"].items() if k != "kind"}
    parts = Parts(settings, nets, arrays, manifest.input, children)
    detector = cls.from_parts(parts, manifest.threshold.value, custom_objects)
    if scores is not None and not detector.fitted:
        raise ArtefactError("It is calibrated and not fitted.")
    calibration = None if scores is None else Calibration(scores)
    detector.restore_decisions(manifest.threshold.inferred, calibration)
    return detector


def _children(artefact: Artefact) -> dict[str, Artefact]:
    """The artefacts of the detectors of which it is made, by name."""
    manifest, contents = artefact
    files = {
        f"{name}.{role}": entry
        for name, child in manifest.detectors.items()
        for role, entry in child.files.items()
    }
    found = {role: entry for role, entry in manifest.files.items() if "." in role}
    if found != files or any(child.detectors for child in manifest.detectors.values()):
        raise ArtefactError("Its files are not those of the detectors that it is made of.")
    return {
        name: Artefact(child, {role: contents[f"{name}.{role}"] for role in child.files})
        for name, child in manifest.detectors.items()
    }


def versions() -> dict[str, str]:
    """Of what scores depend on."""
    return {
        "aegmm_detect": __version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
    }
