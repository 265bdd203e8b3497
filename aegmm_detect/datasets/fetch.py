"""From a `Source` to a checked file: out of a folder, or downloaded once."""

import hashlib
import logging
import os
from pathlib import Path

from aegmm_detect.datasets.sources import File, Source
from aegmm_detect.exceptions import DataIntegrityError, DataUnavailableError
from aegmm_detect.extras import import_extra

logger = logging.getLogger(__name__)

DATA_HOME = "AEGMM_DATA_HOME"


def data_home() -> Path | None:
    """Folder named by the environment variable ``AEGMM_DATA_HOME``, if it is set."""
    home = os.environ.get(DATA_HOME, "").strip()
    return Path(home).expanduser() if home else None


def fetch(source: Source) -> Path:
    """Path of a file of `source` whose checksum is right.

    The folder named by the environment variable ``AEGMM_DATA_HOME`` is looked at first; without
    the variable, it is pooch's cache folder of ``aegmm_detect``. What is not there is downloaded
    into it, once. A file that is there and wrong is refused and left alone: it may be yours.

    Parameters
    ----------
    source
        An entry of `aegmm_detect.datasets.sources`.

    Returns
    -------
    The file. An entry without a checksum is logged as unverified, at level info.

    Raises
    ------
    DataIntegrityError
        The file, or each download, is not the one that was promised.
    DataUnavailableError
        No file, and no address answered.
    MissingExtraError
        A download needs pooch, which is not installed.
    """
    home = data_home()
    where = f"the folder named by {DATA_HOME}"
    own = f"put {' or '.join(file.name for file in source.files)} into {where}"
    if home is None and not source.addresses:
        raise DataUnavailableError(
            f"{source.title} cannot be downloaded by a program ({source.page}): get it yourself, "
            f"set {DATA_HOME} to a folder and {own}."
        )
    if home is None:
        pooch = import_extra("pooch", "data", f"Downloading {source.title}", f"Or {own}.")
        home = Path(pooch.os_cache("aegmm_detect"))
    for file in source.files:
        path = home / file.name
        if path.exists():
            check(path, file)
            return path
    if not source.addresses:
        raise DataUnavailableError(
            f"{source.title} is not in {home} and cannot be downloaded by a program "
            f"({source.page}): get it yourself and {own}."
        )
    return _download(source, home, own)


def check(path: Path, file: File) -> None:
    """Refuse `path` unless it holds the bytes of `file`.

    Raises
    ------
    DataIntegrityError
        With both checksums.
    """
    try:
        if file.sha256 is None:
            # Hashing gigabytes would prove nothing; opening finds what cannot be read at all.
            path.open("rb").close()
            logger.info("%s is used unverified: no checksum of it is known.", path)
            return
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        raise DataIntegrityError(f"{path} cannot be read ({error}). Mend or delete it.") from error
    if found != file.sha256:
        raise DataIntegrityError(
            f"{path} is not the file it should be: its sha256 is {found} ({size} bytes), expected "
            f"{file.sha256}. It may be cut short or another edition: delete it, and it is fetched "
            "again; or read it with aegmm_detect.datasets.from_file."
        )


def _download(source: Source, folder: Path, own: str) -> Path:
    pooch = import_extra("pooch", "data", f"Downloading {source.title}", f"Or {own}.")
    file = source.files[0]
    known = None if file.sha256 is None else f"sha256:{file.sha256}"
    failures: list[str] = []
    refused = False
    for address in source.addresses:
        try:
            path = Path(pooch.retrieve(url=address, known_hash=known, fname=file.name, path=folder))
        # pooch raises ValueError for wrong bytes and lets the errors of the network through.
        except (OSError, ValueError) as error:
            refused = refused or not isinstance(error, OSError)
            failures.append(f"{address}: {type(error).__name__}: {error}")
        else:
            check(path, file)
            return path
    reasons = "; ".join(failures)
    if refused:
        raise DataIntegrityError(
            f"{source.title}: what was downloaded is not {file.name} ({reasons}). Nothing was "
            f"kept. Get it from {source.page} and {own}."
        )
    raise DataUnavailableError(
        f"{source.title} could not be downloaded to {folder} ({reasons}). Without a network: {own} "
        f"(source: {source.page})."
    )
