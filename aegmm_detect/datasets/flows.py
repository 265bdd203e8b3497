"""CSV files of CICFlowMeter: one network flow per line, about 80 columns, a label.

The tool exists in editions that name the same columns shortly (``Tot Fwd Pkts``) or at length
(`` Total Fwd Packets``, with blanks around), and its files have known faults, see `read_flows`.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aegmm_detect.datasets.base import Encoded, reading
from aegmm_detect.exceptions import ConfigurationError, DataIntegrityError
from aegmm_detect.extras import import_extra
from aegmm_detect.listing import some_of

logger = logging.getLogger(__name__)

LABEL = "Label"
# Who, where from and when: identifies the experiment, not the kind of traffic.
_IDENTITY = (
    {"Flow ID", "Timestamp", "Day"}
    | {"Src IP", "Src Port", "Dst IP"}
    | {"Source IP", "Source Port", "Destination IP"}
)
_PORT = {"Dst Port", "Destination Port"}
# -1 says "no window seen" here; everywhere else a negative number is an overflow.
_MAY_BE_NEGATIVE = (
    {"Init Fwd Win Byts", "Init Bwd Win Byts"}
    | {"Init Fwd Win Bytes", "Init Bwd Win Bytes"}
    | {"Init_Win_bytes_forward", "Init_Win_bytes_backward"}
)
_MANY = 0.1  # share of impossible rows from which on the log record is a warning
# Lines. Bounds what is held as text, and what one repeated header makes slow text of.
_CHUNK = 50_000


def read_flows(
    paths: Sequence[Path],
    *,
    keep_port: bool = False,
    clean: bool = True,
    fraction: float = 1.0,
    seed: int = 0,
) -> Encoded:
    """Read files one after the other.

    Lines that repeat the header are left out. Addresses, identifiers, time stamps and, unless
    `keep_port`, the destination port are, too.

    Parameters
    ----------
    paths
        CSV files, gzip by their suffix; all must have the same columns.
    keep_port
        Keep the destination port as a number. It identifies several attacks alone.
    clean
        Leave out rows that hold NaN or Infinity (in the rates of flows without duration) or a
        number below 0 where there can be none (overflows). A log record counts them.
    fraction
        Share of the rows to keep, drawn at random line by line.
    seed
        Draws them.

    Raises
    ------
    ConfigurationError
        `fraction` is not in (0, 1].
    DataIntegrityError
        A file is cut short, has no label column, text for a number, or other columns than the
        first one.
    """
    if not 0.0 < fraction <= 1.0:
        raise ConfigurationError(f"fraction={fraction!r}: pass a share above 0, 1 at most.")
    rng = np.random.default_rng(seed)
    names: tuple[str, ...] | None = None
    blocks: list[npt.NDArray[np.float32]] = []
    codes: list[npt.NDArray[np.int32]] = []
    code_of: dict[str, int] = {}
    for path in paths:
        n_read = n_dropped = 0
        for frame, labels in _chunks(path, keep_port):
            names = names or tuple(frame.columns)
            frame = _same_columns(frame, names, path)
            if fraction < 1.0:
                drawn = rng.random(len(frame)) < fraction
                frame, labels = frame[drawn], labels[drawn]
            X = _numbers(frame, path)
            n_read += len(X)
            if clean:
                usable = _usable(X, names)
                n_dropped += int((~usable).sum())
                X, labels = X[usable], labels[usable]
            blocks.append(X)
            chosen = (code_of.setdefault(label, len(code_of)) for label in labels)
            codes.append(np.fromiter(chosen, dtype=np.int32))
        # A large share is no longer a fault of single lines.
        level = logging.WARNING if n_dropped > _MANY * n_read else logging.INFO
        logger.log(level, "%s: of %d rows, %d left out as impossible.", path, n_read, n_dropped)
    if names is None or not code_of:
        raise DataIntegrityError(f"There are no usable rows in {[str(path) for path in paths]}.")
    return Encoded(np.concatenate(blocks), names, np.array(list(code_of))[np.concatenate(codes)])


def _chunks(path: Path, keep_port: bool) -> Iterator[tuple[Any, npt.NDArray[Any]]]:
    """Frames of features with their labels, headers in between removed."""
    pd = import_extra("pandas", "data", "Reading CICFlowMeter files")
    unwanted = _IDENTITY if keep_port else _IDENTITY | _PORT
    with reading(path):
        header = [str(name).strip() for name in pd.read_csv(path, nrows=0).columns]
        if LABEL not in header or "Flow Duration" not in header:
            raise DataIntegrityError(
                f"{path} has no column 'Label' or no 'Flow Duration': it is not a file of "
                f"CICFlowMeter. Its columns begin with {header[:5]}."
            )
        with pd.read_csv(
            path,
            chunksize=_CHUNK,
            low_memory=False,  # True guesses types block by block and warns of its own mixtures
            skipinitialspace=True,
            usecols=lambda name: name.strip() not in unwanted,
        ) as chunks:
            for chunk in chunks:
                frame = chunk.rename(columns=lambda name: str(name).strip())
                if frame[LABEL].isna().any():
                    line = int(frame.index[frame[LABEL].isna()][0]) + 2
                    raise DataIntegrityError(
                        f"{path}: line {line} has no label. The file is cut short or damaged: get "
                        "it again."
                    )
                labels = frame.pop(LABEL).astype(str).str.strip()
                keep = (labels != LABEL).to_numpy()
                yield frame[keep], labels[keep].to_numpy(dtype=object)


def _same_columns(frame: Any, names: tuple[str, ...], path: Path) -> Any:
    if found := set(names) ^ set(frame.columns):
        raise DataIntegrityError(
            f"{path} and the files before it differ in the columns {some_of(sorted(found))}: read "
            "files of different editions apart."
        )
    return frame[list(names)]


def _numbers(frame: Any, path: Path) -> npt.NDArray[np.float32]:
    pd = import_extra("pandas", "data", "Reading CICFlowMeter files")
    X = np.empty(frame.shape, dtype=np.float32)
    for place, name in enumerate(frame.columns):
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column):
            # A header line inside the file made text of the whole chunk.
            text, column = column, pd.to_numeric(column, errors="coerce")
            unread = text[column.isna() & text.notna()].astype(str).str.strip()
            garbled = unread[~unread.str.lower().isin(["", "nan"])]
            if len(garbled):
                raise DataIntegrityError(
                    f"{path}: line {int(garbled.index[0]) + 2}, column {name!r} holds "
                    f"{garbled.iloc[0]!r}, which is not a number."
                )
        with np.errstate(over="ignore"):  # beyond float32 is as good as Infinity
            X[:, place] = column.to_numpy(dtype=np.float64)
    return X


def _usable(X: npt.NDArray[np.float32], names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    counts = [place for place, name in enumerate(names) if name not in _MAY_BE_NEGATIVE]
    return np.all(np.isfinite(X), axis=1) & np.all(X[:, counts] >= 0, axis=1)
