"""Detectors as artefacts in memory and back."""

import platform
from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from aegmm_detect.calibration import Calibration
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.nets.aegmm import AEGMM, is_plain
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.per_class.detector import PerClassAEGMM
from aegmm_detect.registry import DETECTORS, get_detector
from aegmm_detect.saving import per_class
from aegmm_detect.saving.agreement import check_blueprint, check_settings, check_widths
from aegmm_detect.saving.manifest import (
    Artefact,
    BlueprintEntry,
    InputEntry,
    Manifest,
    NetEntry,
    OptionalPart,
    ThresholdEntry,
    file_entry,
)
from aegmm_detect.saving.nets import net_from_bytes, net_to_bytes
from aegmm_detect.saving.round_trip import check_comes_back
from aegmm_detect.saving.state import arrays_from_bytes, arrays_of, arrays_to_bytes, state_from
from aegmm_detect.serialization.describe import Described
from aegmm_detect.serialization.features import features_from_json, features_to_json
from aegmm_detect.serialization.nets import deserialize_net, serialize_net
from aegmm_detect.version import __version__

_STATE = "state"
_CALIBRATION = "calibration.scores"
# Files of the nets, by kind of model.
_ROLES = {"aegmm": ("encoder", "decoder", "gmm_density"), "ready": ("net",)}
# Parts of an AEGMM that not every kind has.
_OPTIONAL: tuple[OptionalPart, ...] = ("code", "context")


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
    name = type(detector).__name__
    if DETECTORS.get(name) is None or get_detector(name) is not type(detector):
        raise ArtefactError(
            f"save_detector saves {', '.join(sorted(DETECTORS))}; it got a {name}. A class of your "
            "own can be pickled."
        )
    if isinstance(detector, PerClassAEGMM):
        named = per_class.parts_of(detector)
        parts = {name: artefact_of(part, check) for name, part in named.items()}
        return per_class.joined(detector, parts, versions())
    net = detector.net
    own = _Own()
    contents: dict[str, bytes] = {}
    for role, part in _parts(net).items():
        net_parts, described = serialize_net(part, role)
        contents[role] = net_to_bytes(net_parts)
        own.add(described)
    rows = None
    if (state := detector.state) is not None:
        arrays = arrays_of(state)
        if detector.calibration is not None:
            arrays[_CALIBRATION] = detector.calibration.scores
        contents[_STATE] = arrays_to_bytes(arrays)
        rows = InputEntry(
            shape=state.row_shape,
            dtype=state.row_dtype,
            names=state.names,
            eager=state.eager,
        )
    blueprint = detector.blueprint
    manifest = Manifest(
        detector=name,
        config=detector.config.model_dump(mode="json"),
        fit_config=detector.fit_config.model_dump(mode="json"),
        net=_net_entry(net, own),
        blueprint=None
        if blueprint is None
        else BlueprintEntry(sizes=blueprint.sizes, members=blueprint.members, code=blueprint.code),
        threshold=ThresholdEntry(value=detector.threshold, inferred=detector.threshold_inferred),
        input=rows,
        versions=versions(),
        files={role: file_entry(role, content) for role, content in contents.items()},
    )
    artefact = Artefact(manifest, contents)
    if check:
        check_comes_back(detector, detector_from(artefact, own.objects))
    return artefact


class _Own:
    """What the parts of a detector hold that is not registered, by name."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}

    def add(self, described: Described) -> None:
        for name, value in described.own.items():
            if self.objects.setdefault(name, value) is not value:
                raise ArtefactError(
                    f"{described.what} and another part of the detector hold different objects "
                    f"called {name!r}. Register them under different names."
                )


def detector_from(artefact: Artefact, custom_objects: Mapping[str, Any]) -> Any:
    """Inverse of `artefact_of`."""
    manifest, contents = artefact
    cls = get_detector(manifest.detector)
    check_settings(manifest, cls)
    if cls is PerClassAEGMM:
        found = per_class.split(artefact).items()
        parts = {name: detector_from(part, custom_objects) for name, part in found}
        return per_class.restored(artefact, parts)
    needed = {
        *_ROLES[manifest.net.kind],
        *manifest.net.parts,
        *([] if manifest.input is None else [_STATE]),
    }
    if contents.keys() != needed:
        raise ArtefactError(f"It holds {sorted(contents)}; {sorted(needed)} fits.")
    net = _net_from(artefact, custom_objects)
    blueprint = None
    if manifest.blueprint is not None:
        entry = manifest.blueprint
        features = net.recon_features
        blueprint = Blueprint(entry.sizes, features, entry.members, entry.code, net.context)
        check_blueprint(blueprint, net)
    detector = cls.of_parts(
        net,
        manifest.threshold.value,
        cls.CONFIG.of(**manifest.config),
        cls.FIT_CONFIG.of(**manifest.fit_config),
        blueprint,
    )
    if manifest.input is not None:
        arrays = arrays_from_bytes(contents[_STATE])
        scores = arrays.pop(_CALIBRATION, None)
        state = state_from(arrays, manifest.input, cls.FAMILY)
        check_widths(net, state)
        calibration = None if scores is None else Calibration(scores)
        detector.restore(state, manifest.threshold.inferred, calibration)
    return detector


def _kind(net: keras.Model) -> Literal["aegmm", "ready"]:
    # A subclass may compute something else: it is saved as a whole.
    return "aegmm" if is_plain(net) else "ready"


def _parts(net: keras.Model) -> dict[str, keras.Model]:
    """What makes a file of its own, by role."""
    if _kind(net) == "ready":
        return {"net": net}
    return {role: getattr(net, role) for role in (*_ROLES["aegmm"], *_optional(net))}


def _optional(net: AEGMM) -> tuple[OptionalPart, ...]:
    return tuple(role for role in _OPTIONAL if getattr(net, role) is not None)


def _net_entry(net: keras.Model, own: _Own) -> NetEntry:
    if _kind(net) == "ready":
        return NetEntry(kind="ready")
    features, described = features_to_json(net.recon_features)
    own.add(described)
    return NetEntry(kind="aegmm", n_gmm=net.n_gmm, recon_features=features, parts=_optional(net))


def _net_from(artefact: Artefact, custom_objects: Mapping[str, Any]) -> keras.Model:
    entry = artefact.manifest.net
    parts = {
        role: deserialize_net(net_from_bytes(artefact.contents[role], role), role, custom_objects)
        for role in (*_ROLES[entry.kind], *entry.parts)
    }
    if entry.kind == "ready":
        return parts["net"]
    encoder, decoder, density = (parts[role] for role in _ROLES["aegmm"])
    features = features_from_json(entry.recon_features, custom_objects)
    three = (encoder, decoder, density)
    code, context = parts.get("code"), parts.get("context")
    return AEGMM(*three, entry.n_gmm, features, code=code, context=context)


def versions() -> dict[str, str]:
    """Of what scores depend on."""
    return {
        "aegmm_detect": __version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
    }
