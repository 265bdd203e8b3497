"""Tables of a user's own: CSV and Parquet files as data frames, without pandas' silent guesses."""

import gzip
import io
import logging
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aegmm_detect.datasets.base import reading
from aegmm_detect.exceptions import ConfigurationError, DataIntegrityError
from aegmm_detect.extras import import_extra

logger = logging.getLogger(__name__)

_SEPARATORS = {";": ";", "\t": r"\t", "|": "|"}
# What pandas calls an index that was written without a name: in CSV, and by pyarrow in Parquet.
_INDEX = ("Unnamed: 0", "__index_level_0__")
_HEAD = 65_536  # bytes of a file that are enough for its first line
# A separator of any length of blanks; pandas reads no other pattern as fast.
_BLANKS = r"\s+"


class CsvFormat(NamedTuple):
    """How a CSV file is written; the names are those of pandas."""

    sep: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"
    na_values: str | Collection[str] | None = None

    def check(self) -> None:
        """Raise `ConfigurationError` unless pandas' fast parser takes it."""
        if self.sep is not None and len(self.sep) != 1 and self.sep != _BLANKS:
            raise ConfigurationError(
                f"sep={self.sep!r}: pass one character, such as ';' or '\\t', or r'\\s+' for any "
                "number of blanks."
            )
        if len(self.decimal) != 1:
            raise ConfigurationError(f"decimal={self.decimal!r}: pass one character, such as ','.")
        try:
            "".encode(self.encoding)
        except LookupError as error:
            raise ConfigurationError(
                f"encoding={self.encoding!r}: Python knows no encoding of that name. Common "
                "ones are 'utf-8', 'utf-16', 'cp1252' and 'latin-1'."
            ) from error


def read_table(path: Path, kind: str, header: bool, how: CsvFormat) -> Any:
    """The file as a data frame with text for the names of its columns.

    Raises
    ------
    ConfigurationError
        Another separator or encoding than `how` says, or a first line that names no columns.
    DataIntegrityError
        The file is missing, cut short, or of another format.
    MissingExtraError
        pandas or pyarrow is missing.
    """
    pd = import_extra("pandas", "data", f"Reading {path.name}")
    if kind == "parquet":
        import_extra("pyarrow", "data", f"Reading {path.name}")
        with reading(path):
            frame = pd.read_parquet(path)
    else:
        frame = _read_csv(pd, path, header, how)
    frame.columns = [str(column) for column in frame.columns]
    return frame


def without_index(frame: Any, path: Path, keep: Collection[str]) -> Any:
    """`frame` without the row numbers that pandas has written into its first column.

    Row numbers know in which order rows were collected, and so often what they are.

    Parameters
    ----------
    frame
        What the file holds.
    path
        For the log.
    keep
        Columns that the caller has named.
    """
    pd = import_extra("pandas", "data", f"Reading {path.name}")
    place = {_INDEX[0]: 0, _INDEX[1]: len(frame.columns) - 1}
    for name in set(_INDEX) & set(frame.columns) - set(keep):
        values = frame[name]
        is_index = pd.api.types.is_integer_dtype(values) and values.is_unique
        if frame.columns[place[name]] == name and is_index:
            logger.warning(
                "%s: the column without a name holds row numbers, the index that pandas writes. "
                "It is left out. Write files with to_csv(index=False); to keep it, give it a name.",
                path,
            )
            frame = frame.drop(columns=name)
    return frame


def _read_csv(pd: Any, path: Path, header: bool, how: CsvFormat) -> Any:
    how.check()
    with reading(path), warnings.catch_warnings():
        # Lines longer than the header: neither an index in their first field nor a cut at the end.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            if how.sep is None:
                _check_separator(path, how.encoding)
            frame = pd.read_csv(
                path,
                sep=how.sep or ",",
                decimal=how.decimal,
                encoding=how.encoding,
                na_values=how.na_values,
                low_memory=False,
                index_col=False,
                header=0 if header else None,
            )
        except pd.errors.ParserWarning as error:
            raise DataIntegrityError(
                f"{path} has lines with more fields than its first one ({error})."
            ) from error
        except UnicodeError as error:
            raise ConfigurationError(
                f"{path} is not written in encoding={how.encoding!r} ({error}). {_encoding(path)}"
            ) from error
    if not header:
        return frame.rename(columns=lambda place: f"x{place}")
    if all(_is_number(name) for name in frame.columns):
        raise ConfigurationError(
            f"The first line of {path} holds numbers, so it is a row and names no columns: pass "
            "header=False."
        )
    return frame


def _head(path: Path) -> bytes:
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        return file.read(_HEAD)


def _check_separator(path: Path, encoding: str) -> None:
    head = io.TextIOWrapper(io.BytesIO(_head(path)), encoding, errors="replace").readline()
    counts = {sep: head.count(sep) for sep in _SEPARATORS}
    likely = max(counts, key=lambda sep: counts[sep])
    if counts[likely] > head.count(","):
        raise ConfigurationError(
            f"The first line of {path} has {counts[likely]} '{_SEPARATORS[likely]}' and "
            f"{head.count(',')} commas: pass sep='{_SEPARATORS[likely]}', and decimal=',' if "
            "numbers have a comma. If commas separate its fields, pass sep=','."
        )


def _encoding(path: Path) -> str:
    head = _head(path)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "It begins as UTF-16 does: pass encoding='utf-16'."
    return (
        "Pass the encoding of the program that wrote it: encoding='cp1252' for Excel on a Western "
        "Windows, or 'latin-1'. If it should be UTF-8, it is damaged."
    )


def check_names(frame: Any, path: Path, place: int) -> None:
    """Raise if the names except that of the target, at `place`, are numbers of a row.

    Counted ones (0, 1, 2, ...), which pandas gives to columns, are names.
    """
    if not -len(frame.columns) <= place < len(frame.columns):
        return  # an error of its own
    target = frame.columns[place]
    names = [name for name in frame.columns if name != target]
    counted = {str(number) for number in range(len(frame.columns) + 1)}
    if names and all(map(_is_number, names)) and not set(names) <= counted:
        raise ConfigurationError(
            f"The first line of {path} holds numbers, except for {target!r}, so it seems to be a "
            "row and to name no columns: pass header=False. If these are names, pass "
            f"target={target!r} in place of its position."
        )


def _is_number(name: Any) -> bool:
    try:
        # pandas tells equal names apart by a number after a dot.
        float(".".join(str(name).split(".")[:2]))
    except ValueError:
        return False
    return True


def as_array(frame: Any) -> np.ndarray[Any, Any]:
    """Numeric columns as one array: float32 if all of them are, float64 otherwise."""
    single = all(dtype in (np.float16, np.float32) for dtype in frame.dtypes)
    array: np.ndarray[Any, Any] = frame.to_numpy(
        dtype=np.float32 if single else np.float64, na_value=np.nan
    )
    return array
