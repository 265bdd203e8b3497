"""A data set of one's own, out of a file."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aegmm_detect.datasets.arrays import read_arrays
from aegmm_detect.datasets.base import Dataset
from aegmm_detect.datasets.tables import CsvFormat, as_array, check_names, read_table, without_index
from aegmm_detect.datasets.text_columns import with_dummies
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.listing import some_of
from aegmm_detect.types import Array, FloatArray

_TABLES = {".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".pq": "parquet"}
_ARRAYS = (".npz", ".mat")


def from_file(
    path: str | os.PathLike[str],
    *,
    target: str | int | None = None,
    anomaly: Any = None,
    normal: Any = None,
    drop: Collection[str] | str = (),
    one_hot: bool | str | Collection[str] = False,
    header: bool = True,
    sep: str | None = None,
    decimal: str = ".",
    encoding: str = "utf-8",
    na_values: str | Collection[str] | None = None,
    name: str | None = None,
    licence: str = "not stated",
    citation: str = "not stated",
) -> Dataset:
    """Read rows and labels from a ``.csv``, ``.csv.gz``, ``.parquet``, ``.npz`` or ``.mat`` file.

    Parameters
    ----------
    path
        The file; its suffix says the format. Arrays are taken from `X` (N, F) of ``.npz`` and
        ``.mat`` files; nothing is ever unpickled.
    target
        Where the labels are: the name or position of a column (default 'label'), or the key of an
        array (default 'y').
    anomaly
        The label, or a collection of labels, of anomalies. Without it and `normal`, labels must
        be 0 and 1, and 1 is the anomaly.
    normal
        Instead of `anomaly`: the label or labels that are not anomalies.
    drop
        Column or columns to leave out, such as identifiers.
    one_hot
        Turn text columns into dummies, by the sorted categories of **all** rows of this file; a
        missing value has none. Otherwise a text column is an error. True leaves errors for columns
        that hold mostly numbers, or nearly as many different texts as rows. The names of columns
        turn these, whatever they hold.
    header
        Whether the first line of a CSV file names the columns; if not, they are x0, x1, ...
    sep, decimal, encoding
        How a CSV file is written. Default: commas between fields, a point in numbers, UTF-8.
    na_values
        Text that stands for a missing value in a CSV file, besides the usual 'NA', 'nan' and empty
        fields: '?', or several.
    name
        Name of the data set; by default that of the file.
    licence, citation
        Kept with the data set.

    Returns
    -------
    The data set: X float32 if all columns of the file are, float64 otherwise. Missing numbers are
    NaN. Row numbers that pandas has written into a column without a name are left out, with a
    warning in the log: they can give the labels away. `kinds` are the labels as text, if `anomaly`
    or `normal` was needed to read them.

    Raises
    ------
    ConfigurationError
        The suffix is unknown, or arguments do not fit the file.
    InvalidInputError
        Columns are not numbers, or labels are missing or not as described.
    DataIntegrityError
        The file is missing, cut short, or of another format.
    MissingExtraError
        CSV needs pandas; Parquet needs pyarrow, too.

    Examples
    --------
    >>> from aegmm_detect.datasets import from_file
    >>> flows = from_file("flows.csv.gz", target="Label", normal="Benign")  # doctest: +SKIP
    """
    path = Path(path)
    drop = [drop] if isinstance(drop, str) else list(drop)
    if anomaly is not None and normal is not None:
        raise ConfigurationError("Pass anomaly or normal, not both: each implies the other.")
    lower = path.name.lower()
    suffix = next((s for s in (*_TABLES, *_ARRAYS) if lower.endswith(s)), None)
    if suffix is None:
        raise ConfigurationError(
            f"{path} has none of the known suffixes {', '.join((*_TABLES, *_ARRAYS))}."
        )
    how = CsvFormat(sep, decimal, encoding, na_values)
    if how != CsvFormat() and _TABLES.get(suffix) != "csv":
        raise ConfigurationError(
            f"{', '.join(how._fields)} are for CSV files, not for {suffix}: leave them out."
        )
    if suffix in _ARRAYS:
        if drop or one_hot or not header:
            raise ConfigurationError(f"drop, one_hot and header are for tables, not for {suffix}.")
        X, labels, names = _from_arrays(path, target)
    else:
        frame = read_table(path, _TABLES[suffix], header, how)
        if header and isinstance(target, int) and _TABLES[suffix] == "csv":
            check_names(frame, path, target)
        X, labels, names = _from_table(frame, path, target, drop, one_hot)
    y, kinds, what = _anomalies(labels, anomaly, normal, path)
    return Dataset(
        name=name or path.name[: -len(suffix)],
        X=X,
        y=y,
        feature_names=names,
        anomaly=what,
        licence=licence,
        citation=citation,
        kinds=kinds,
    )


def _from_arrays(path: Path, target: str | int | None) -> tuple[FloatArray, Array, tuple[str, ...]]:
    if isinstance(target, int):
        raise ConfigurationError(f"target={target}: the arrays of {path} have names, say which.")
    key = target or "y"
    arrays = read_arrays(path, ("X", key))
    X, labels = arrays["X"], arrays[key]
    if X.dtype.kind not in "biuf" or X.ndim < 2:
        raise InvalidInputError(
            f"{path}: X holds {X.dtype} of shape {X.shape}, not real numbers of shape (N, F)."
        )
    if labels.shape not in {(len(X),), (len(X), 1), (1, len(X))}:
        raise InvalidInputError(
            f"{path}: {key} has shape {labels.shape}, but X has {len(X)} rows: one label per row "
            "is needed."
        )
    single = X.dtype in (np.float16, np.float32)
    # The columns of images have no names.
    names = tuple(f"x{place}" for place in range(X.shape[1])) if X.ndim == 2 else ()
    return X.astype(np.float32 if single else np.float64), labels.ravel(), names


def _from_table(
    frame: Any,
    path: Path,
    target: str | int | None,
    drop: Collection[str],
    one_hot: bool | str | Collection[str],
) -> tuple[FloatArray, Array, tuple[str, ...]]:
    columns = list(frame.columns)
    if isinstance(target, int):
        if not -len(columns) <= target < len(columns):
            raise ConfigurationError(f"target={target}: {path} has {len(columns)} columns.")
        target = columns[target]
    if target is None and "label" not in columns:
        raise ConfigurationError(
            f"{path} has no column 'label'; it has {some_of(columns)}. Say which of them holds the "
            "labels: target=."
        )
    target = str(target or "label")
    if unknown := [column for column in (target, *drop) if column not in columns]:
        raise ConfigurationError(
            f"{path} has no columns {some_of(unknown)}; it has {some_of(columns)}."
        )
    if not len(frame):
        raise InvalidInputError(f"{path} holds no rows, only names of columns.")
    if len(columns) == len({target, *drop}):
        raise InvalidInputError(f"{path} holds no columns besides {some_of([target, *drop])}.")
    labels = frame[target]
    if labels.isna().any():
        row = int(labels.isna().to_numpy().argmax())
        raise InvalidInputError(
            f"{path}: {labels.isna().sum()} rows have no label in column {target!r}, the first is "
            f"row {row} (counted from 0). The file may be cut short."
        )
    features = without_index(frame, path, {target, *drop}).drop(columns=[target, *drop])
    features = with_dummies(features, path, one_hot)
    return as_array(features), labels.to_numpy(), tuple(str(column) for column in features)


def _anomalies(
    labels: Array, anomaly: Any, normal: Any, path: Path
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.str_] | None, str]:
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise InvalidInputError(f"{path}: {np.isnan(labels).sum()} labels are NaN.")
    values, place = np.unique(labels.astype(object).astype(str), return_inverse=True)
    words = np.array([_word(value) for value in values.tolist()])
    if anomaly is None and normal is None:
        if not {*words.tolist()} <= {"0", "1"}:
            raise InvalidInputError(
                f"{path}: labels are {_shown(words)}, not 0 and 1. Pass anomaly= (or normal=) with "
                "the labels that are anomalies (or are not)."
            )
        return (words == "1")[place].astype(np.int64), None, "label 1"
    given = normal if anomaly is None else anomaly
    single = isinstance(given, (str, bytes)) or not isinstance(given, Collection)
    wanted = [_word(str(value)) for value in ([given] if single else given)]
    if not wanted:
        name = "normal" if anomaly is None else "anomaly"
        raise ConfigurationError(f"{name}= names no label: pass those of them {_shown(words)}.")
    if unknown := [word for word in wanted if word not in words]:
        raise InvalidInputError(f"{path}: no row has a label {unknown}; they are {_shown(words)}.")
    listed = np.isin(words, wanted)
    y = (listed if normal is None else ~listed)[place].astype(np.int64)
    what = f"label {', '.join(wanted)}" if normal is None else f"not label {', '.join(wanted)}"
    return y, words[place], what


def _word(text: str) -> str:
    """Labels 1, 1.0 and True are one and the same."""
    text = {"True": "1", "False": "0"}.get(text.strip(), text.strip())
    return text[:-2] if text.endswith(".0") else text


def _shown(words: npt.NDArray[np.str_]) -> str:
    listed = ", ".join(repr(word) for word in words[:10].tolist())
    return listed + (f" and {len(words) - 10} others" if len(words) > 10 else "")
