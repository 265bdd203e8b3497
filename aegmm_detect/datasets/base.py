"""What a labelled data set is, and how its bytes are trusted."""

import dataclasses
import hashlib
import io
from collections.abc import Mapping
from importlib.resources.abc import Traversable

import numpy as np
import numpy.typing as npt

from aegmm_detect.exceptions import DataIntegrityError
from aegmm_detect.types import FloatArray


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Rows, labels, and what has to be said about them.

    Parameters
    ----------
    name
        Short name, as in tables of results.
    X
        Instances, float64 (N, F).
    y
        Labels, int64 (N,): 1 anomaly, 0 normal.
    feature_names
        Names of the columns of `X`, F of them.
    anomaly
        What the anomalies are.
    licence
        Terms under which the data (not the package) may be used.
    citation
        Source to be cited with results.
    """

    name: str
    X: FloatArray = dataclasses.field(repr=False)
    y: npt.NDArray[np.int64] = dataclasses.field(repr=False)
    feature_names: tuple[str, ...]
    anomaly: str
    licence: str
    citation: str


def read_npz(file: Traversable, sha256: str) -> Mapping[str, npt.NDArray[np.generic]]:
    """Arrays of an ``.npz`` file whose bytes must have the checksum `sha256`.

    Nothing is parsed before the checksum is right, and nothing is ever unpickled.

    Raises
    ------
    DataIntegrityError
        The file is missing, cut short or changed.
    """
    remedy = "Reinstall aegmm_detect: pip install --force-reinstall --no-deps aegmm_detect."
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataIntegrityError(f"{file} cannot be read ({error}). {remedy}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataIntegrityError(
            f"{file} is not the file it should be: its sha256 is {found} ({len(content)} bytes), "
            f"expected {sha256}. {remedy}"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
