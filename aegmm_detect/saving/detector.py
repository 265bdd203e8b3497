"""Save and load detectors."""

import logging
import os
import warnings
from collections.abc import Mapping
from typing import Any

from aegmm_detect.detector.base import Detector
from aegmm_detect.exceptions import AEGMMError, ArtefactError, ConfigurationError
from aegmm_detect.listing import one_line
from aegmm_detect.processes import check_process
from aegmm_detect.saving.archive import SUFFIX, read_archive, write_archive
from aegmm_detect.saving.directory import read_directory, write_directory
from aegmm_detect.saving.format1 import upgraded
from aegmm_detect.saving.parts import artefact_of, detector_from, versions
from aegmm_detect.saving.paths import where_to_load, where_to_save
from aegmm_detect.types import UNSET

logger = logging.getLogger(__name__)


def save_detector(
    detector: Detector, filepath: str | os.PathLike[str], legacy: bool = UNSET
) -> None:
    """Save a detector, fitted or not; what was there is replaced in one step.

    Before anything is replaced, what would be saved is loaded again in memory, and its functions,
    the outputs of each net and the scores are compared to the bit.

    Parameters
    ----------
    detector
        One of this package's. The state of its optimizer is not kept.
    filepath
        A directory of its own, made if need be, or a name that ends in ``.aegmm`` for a single
        file.
    legacy
        Of alibi-detect's interface. There is one format here: it does nothing, with a warning.

    Raises
    ------
    ArtefactError
        The detector cannot be saved so that it comes back the same (lambdas, nets without weights,
        layers that do not describe themselves), or something else is there.
    ConfigurationError
        `filepath` is empty or has the ending of another kind of file.
    OSError
        The file system's: no space, no permission. A detector saved there before is unharmed.
    """
    _warn_of("legacy", legacy)
    check_process()
    path = where_to_save(filepath)
    artefact = artefact_of(detector, check=True)
    if path.suffix.lower() == SUFFIX:
        write_archive(path, artefact)
    else:
        write_directory(path, artefact)


def load_detector(
    filepath: str | os.PathLike[str],
    *,
    custom_objects: Mapping[str, Any] | None = None,
    enable_unsafe_loading: bool = UNSET,
) -> Any:
    """Load what `save_detector` has written.

    Every byte is checked against its sha256. Nothing is unpickled, and nothing that the file names
    is looked up or called unless it is on a list, registered in this process, or passed here.
    Hashes show damage, not who made a file: whoever writes the file decides on the scores.

    Parameters
    ----------
    filepath
        Directory or file.
    custom_objects
        Layers and functions of your own by name. Not needed for those registered with
        ``@keras.saving.register_keras_serializable``. Default: none.
    enable_unsafe_loading
        Of alibi-detect's interface. Nothing unsafe is saved here: it does nothing, with a warning.

    Returns
    -------
    A detector that scores as the saved one: bit for bit on the same machine with the same
    versions; other versions are logged as a warning.

    Raises
    ------
    ArtefactError
        Nothing there; foreign, damaged, of a newer format; layers or functions that are not known.
    ConfigurationError
        `filepath` is empty, or `custom_objects` is not a dictionary of functions and classes.
    OSError
        The file system's: no permission, no space for temporary files.
    """
    _warn_of("enable_unsafe_loading", enable_unsafe_loading)
    check_process()
    path = where_to_load(filepath)
    given = _checked_objects(custom_objects)
    artefact = read_directory(path) if path.is_dir() else read_archive(path)
    try:
        detector = detector_from(upgraded(artefact), given)
    except AEGMMError as error:
        raise ArtefactError(f"{path} cannot be loaded. {error}") from error
    except OSError:
        raise
    # Bytes that are as they were written and still make no detector were not written by us.
    except Exception as error:
        raise ArtefactError(
            f"{path} cannot be loaded: its parts do not fit together "
            f"({type(error).__name__}: {one_line(error)})."
        ) from error
    _compare_versions(artefact.manifest.versions)
    return detector


def _checked_objects(custom_objects: Any) -> Mapping[str, Any]:
    if custom_objects is None:
        return {}
    if not isinstance(custom_objects, Mapping) or not all(
        isinstance(name, str) and callable(value) for name, value in custom_objects.items()
    ):
        raise ConfigurationError(
            f"custom_objects={custom_objects!r:.100}: pass a dictionary of functions and classes "
            'by name, such as {"relu": relu}.'
        )
    return custom_objects


def _warn_of(name: str, value: Any) -> None:
    if value is not UNSET:
        # Of the caller of the function that was called.
        warnings.warn(f"{name} does nothing: leave it out.", UserWarning, stacklevel=3)


def _compare_versions(saved: Mapping[str, str]) -> None:
    here = versions()
    other = [f"{n} {saved[n]!r:.40} (here {v})" for n, v in here.items() if saved.get(n, v) != v]
    if other:
        logger.warning("Saved with %s: scores can differ in their last digits.", ", ".join(other))
