"""What a labelled data set is, and how its bytes are trusted."""

import contextlib
import dataclasses
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aegmm_detect.exceptions import AEGMMError, DataIntegrityError, InvalidInputError
from aegmm_detect.types import FloatArray

# The folder of the files that travel with the package.
EMBEDDED = resources.files("aegmm_detect.datasets") / "data"


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Rows, labels, and what has to be said about them.

    Parameters
    ----------
    name
        Short name, as in tables of results.
    X
        Instances, float32 or float64 (N, F); images have more axes.
    y
        Labels, int64 (N,): 1 anomaly, 0 normal, in the convention that `anomaly` states.
    feature_names
        Names of the columns of `X`, F of them; none for images.
    anomaly
        What the anomalies are.
    licence
        Terms under which the data (not the package) may be used.
    citation
        Source to be cited with results.
    kinds
        Finer label of each row (N,), such as the type of an attack; None where there is none.

    Raises
    ------
    InvalidInputError
        `X`, `y`, `kinds` and `feature_names` do not have matching lengths.
    """

    name: str
    X: FloatArray = dataclasses.field(repr=False)
    y: npt.NDArray[np.int64] = dataclasses.field(repr=False)
    feature_names: tuple[str, ...] = dataclasses.field(repr=False)
    anomaly: str
    licence: str
    citation: str
    kinds: npt.NDArray[np.str_] | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        for field in ("y", "kinds"):
            labels = getattr(self, field)
            if labels is not None and labels.shape != (len(self.X),):
                raise InvalidInputError(
                    f"{self.name}: {field} has shape {labels.shape}, but X has {len(self.X)} "
                    f"rows: one label per row, shape ({len(self.X)},), is needed."
                )
        if not np.isin(self.y, (0, 1)).all():
            raise InvalidInputError(
                f"{self.name}: y holds labels other than 0 and 1: 1 is an anomaly, 0 is normal."
            )
        if self.X.ndim == 2 and len(self.feature_names) != self.X.shape[1]:
            raise InvalidInputError(
                f"{self.name}: {len(self.feature_names)} feature_names for {self.X.shape[1]} "
                "columns of X."
            )

    def subset(self, rows: Any) -> "Dataset":
        """Some of the rows, as copies.

        Parameters
        ----------
        rows
            Row numbers (M,), in the order wanted, or a boolean mask (N,).

        Returns
        -------
        The same data set with those rows of `X`, `y` and `kinds`.

        Raises
        ------
        InvalidInputError
            `rows` is neither, or names a row that does not exist.
        """
        index = np.asarray(rows)
        if index.size == 0 and index.dtype.kind == "f":
            index = index.astype(np.int64)  # an empty list
        if index.ndim != 1 or index.dtype.kind not in "biu":
            raise InvalidInputError(
                f"rows is {index.dtype} of shape {index.shape}: pass row numbers (M,) or a mask "
                f"({len(self.X)},)."
            )
        try:
            chosen = np.arange(len(self.X))[index]
        except IndexError as error:
            raise InvalidInputError(f"rows of a data set of {len(self.X)}: {error}.") from error
        kinds = None if self.kinds is None else self.kinds[chosen]
        return dataclasses.replace(self, X=self.X[chosen], y=self.y[chosen], kinds=kinds)


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """Rows as numbers: `X` float32 (N, F), its columns' names, and the labels (N,) as written."""

    X: npt.NDArray[np.float32]
    feature_names: tuple[str, ...]
    labels: npt.NDArray[np.str_]


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


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a parser raises about the content of `path` into an error that names it.

    Raises
    ------
    DataIntegrityError
        The file is missing, cut short, or of another format.
    """
    try:
        yield
    except AEGMMError:
        raise
    # pandas' parsing errors and UnicodeDecodeError are ValueErrors.
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise DataIntegrityError(
            f"{path} cannot be read: {type(error).__name__}: {error}. It is missing, cut short or "
            "of another format: get it again."
        ) from error
