"""Save and load detectors."""

import logging
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from aegmm_detect.calibration import Calibration
from aegmm_detect.exceptions import ArtefactError
from aegmm_detect.nets.aegmm import AEGMM, is_plain
from aegmm_detect.nets.blueprint import Blueprint
from aegmm_detect.od.base import Detector
from aegmm_detect.od.per_class import PerClassAEGMM
from aegmm_detect.od.state import FittedState
from aegmm_detect.registry import DETECTORS, get_detector
from aegmm_detect.saving import per_class
from aegmm_detect.saving.archive import SUFFIX, read_archive, write_archive
from aegmm_detect.saving.directory import read_directory, write_directory
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
from aegmm_detect.saving.nets import (
    features_from_json,
    features_to_json,
    net_from_bytes,
    net_to_bytes,
    shortened,
)
from aegmm_detect.saving.state import arrays_from_bytes, arrays_of, arrays_to_bytes, state_from
from aegmm_detect.version import __version__

logger = logging.getLogger(__name__)

_STATE = "state"
_CALIBRATION = "calibration.scores"
# Files of the nets, by kind of model.
_ROLES = {"aegmm": ("encoder", "decoder", "gmm_density"), "ready": ("net",)}
# Parts of an AEGMM that not every kind has.
_OPTIONAL: tuple[OptionalPart, ...] = ("code", "context")


def save_detector(detector: Detector, filepath: str | os.PathLike[str]) -> None:
    """Save a detector, fitted or not; what was there is replaced in one step.

    Parameters
    ----------
    detector
        One of this package's. The state of its optimizer is not kept.
    filepath
        A directory, made if need be, or a name that ends in ``.aegmm`` for a single file.

    Raises
    ------
    ArtefactError
        The detector cannot be saved (lambdas, nets without weights), or something else is there.
    OSError
        The file system's: no space, no permission. A detector saved there before is unharmed.
    """
    # Replacing a link would leave the detector that it leads to as it was.
    path = Path(os.path.realpath(filepath))
    artefact = artefact_of(detector)
    if path.suffix.lower() == SUFFIX:
        write_archive(path, artefact)
    else:
        write_directory(path, artefact)


def load_detector(
    filepath: str | os.PathLike[str], *, custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """Load what `save_detector` has written.

    Every byte is checked against its sha256 before Keras sees it, nothing is unpickled, and Keras
    loads in safe mode. Hashes show damage, not who made a file: load only what you trust.

    Parameters
    ----------
    filepath
        Directory or file.
    custom_objects
        Layers and feature functions of your own by name. Not needed for those registered with
        ``@keras.saving.register_keras_serializable``. Default: none.

    Returns
    -------
    A detector that scores as the saved one: bit for bit on the same machine with the same
    versions; other versions are logged as a warning.

    Raises
    ------
    ArtefactError
        Nothing there; foreign, damaged, of a newer format; layers or functions that are not known.
    """
    path = Path(filepath)
    if not path.is_dir() and not path.is_file():
        raise ArtefactError(
            f"{path} {'is no file' if path.exists() else 'does not exist'}: there is no saved "
            "detector. Pass what save_detector wrote."
        )
    artefact = read_directory(path) if path.is_dir() else read_archive(path)
    try:
        detector = detector_from(artefact, custom_objects or {})
    except ArtefactError as error:
        raise ArtefactError(f"{path} cannot be loaded. {error}") from error
    # Bytes that are as they were written and still make no detector were not written by us.
    except Exception as error:
        raise ArtefactError(
            f"{path} cannot be loaded: its parts do not fit together "
            f"({type(error).__name__}: {shortened(error)})."
        ) from error
    _compare_versions(artefact.manifest.versions)
    return detector


def artefact_of(detector: Any) -> Artefact:
    """All of a detector, as bytes."""
    name = type(detector).__name__
    if DETECTORS.get(name) is None or get_detector(name) is not type(detector):
        raise ArtefactError(
            f"save_detector saves {', '.join(sorted(DETECTORS))}; it got a {name}. A class of your "
            "own can be pickled."
        )
    if isinstance(detector, PerClassAEGMM):
        parts = {name: artefact_of(part) for name, part in per_class.parts_of(detector).items()}
        return per_class.joined(detector, parts, _versions())
    net = detector.net
    contents = {role: net_to_bytes(part, role) for role, part in _parts(net).items()}
    rows = None
    if (state := detector.state) is not None:
        arrays = arrays_of(state)
        if detector.calibration is not None:
            arrays[_CALIBRATION] = detector.calibration.scores
        contents[_STATE] = arrays_to_bytes(arrays)
        rows = InputEntry(
            shape=state.row_shape,
            dtype=state.graph(net).row_dtype,
            names=state.names,
            eager=state.eager,
        )
    blueprint = detector.blueprint
    manifest = Manifest(
        detector=name,
        config=detector.config.model_dump(mode="json"),
        fit_config=detector.fit_config.model_dump(mode="json"),
        net=_net_entry(net),
        blueprint=None
        if blueprint is None
        else BlueprintEntry(sizes=blueprint.sizes, members=blueprint.members, code=blueprint.code),
        threshold=ThresholdEntry(value=detector.threshold, inferred=detector.threshold_inferred),
        input=rows,
        versions=_versions(),
        files={role: file_entry(role, content) for role, content in contents.items()},
    )
    return Artefact(manifest, contents)


def detector_from(artefact: Artefact, custom_objects: Mapping[str, Any]) -> Any:
    """Inverse of `artefact_of`."""
    manifest, contents = artefact
    cls = get_detector(manifest.detector)
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
        _check_widths(net, state)
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


def _net_entry(net: keras.Model) -> NetEntry:
    if _kind(net) == "ready":
        return NetEntry(kind="ready")
    features = features_to_json(net.recon_features)
    return NetEntry(kind="aegmm", n_gmm=net.n_gmm, recon_features=features, parts=_optional(net))


def _net_from(artefact: Artefact, custom_objects: Mapping[str, Any]) -> keras.Model:
    entry = artefact.manifest.net
    parts = {
        role: net_from_bytes(artefact.contents[role], role, custom_objects)
        for role in (*_ROLES[entry.kind], *entry.parts)
    }
    if entry.kind == "ready":
        return parts["net"]
    encoder, decoder, density = (parts[role] for role in _ROLES["aegmm"])
    features = features_from_json(entry.recon_features, custom_objects)
    three = (encoder, decoder, density)
    code, context = parts.get("code"), parts.get("context")
    return AEGMM(*three, entry.n_gmm, features, code=code, context=context)


def _check_widths(net: keras.Model, state: FittedState) -> None:
    """Refuse a density of more columns than nets and projection return."""
    _, z, _ = net(np.zeros((2, *state.row_shape), np.float32), training=False)
    projection = state.density.projection
    width = z.shape[-1] + (0 if projection is None else projection.axes.shape[1])
    stacked = len(z.shape) == 3
    if (z.shape[0] if stacked else 1) != len(state.density.members) or any(
        mixture.n_dim > width for mixture in state.density.mixtures
    ):
        raise ArtefactError(f"Its density does not fit its nets, whose z has shape {z.shape}.")


def _versions() -> dict[str, str]:
    return {
        "aegmm_detect": __version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
    }


def _compare_versions(saved: Mapping[str, str]) -> None:
    here = _versions()
    if other := [f"{n} {v} (here {here.get(n)})" for n, v in saved.items() if here.get(n) != v]:
        logger.warning("Saved with %s: scores can differ in their last digits.", ", ".join(other))
