"""Network flows with staged attacks: CSE-CIC-IDS2018 and USB-IDS-1."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from aegmm_detect.datasets import sources
from aegmm_detect.datasets.base import Dataset
from aegmm_detect.datasets.fetch import DATA_HOME, data_home, fetch
from aegmm_detect.datasets.flows import read_flows
from aegmm_detect.exceptions import ConfigurationError, DataUnavailableError


def load_ids2018(
    path: str | os.PathLike[str] | None = None,
    *,
    sample: Literal["raw", "twodays"] | None = None,
    days: Sequence[str] | None = None,
    keep_port: bool = False,
    clean: bool = True,
    fraction: float = 1.0,
    seed: int = 0,
) -> Dataset:
    """CSE-CIC-IDS2018: flows of ten days, attacks are the anomalies.

    The official files are ten CSVs of 6.4 GB together, 16 million rows; memory grows by about
    700 bytes per row, so take `days` or a `fraction`. Pass one of `path`, `sample` and `days`, or
    none of them to read the official files that lie in the folder named by ``AEGMM_DATA_HOME``.

    Parameters
    ----------
    path
        A daily file, or a folder with daily files, ``*_TrafficForML_CICFlowMeter.csv``.
    sample
        A small real sample from the folder named by ``AEGMM_DATA_HOME``; there is no address to
        download it from. 'raw': 1,000 rows of all days under the official names, for tests;
        'twodays': 12,053 rows of two days, half of them attacks, under other names.
    days
        Official files to fetch, by their names' beginnings such as 'Wednesday-14-02-2018'. What
        is not in the data folder is downloaded, 0.1 to 4 GB each, unverified.
    keep_port
        Keep the destination port, which identifies several attacks alone.
    clean
        Leave out rows with NaN, Infinity, or a number below 0 that cannot be.
    fraction
        Share of the rows to keep, drawn at random.
    seed
        Draws them.

    Returns
    -------
    The data set, X float32 of 77 columns (78 with the port): no addresses, identifiers or time
    stamps. Protocol is a number; -1 in the two initial window columns means that there was none.
    `kinds` are the labels as written: Benign, SSH-Bruteforce, Infilteration (sic) and others.

    Raises
    ------
    ConfigurationError
        More than one of `path`, `sample` and `days`, or an unknown one.
    DataIntegrityError, DataUnavailableError, MissingExtraError
        A file is wrong, cannot be had, or pandas or pooch is missing.
    """
    if sum(choice is not None for choice in (path, sample, days)) > 1:
        raise ConfigurationError("Pass one of path, sample and days, not several.")
    source = sources.IDS2018_DAYS["Wednesday-14-02-2018"]  # terms and citation are those of all
    if sample is not None:
        source = _entry(sources.IDS2018_SAMPLES, sample, "sample")
        paths = [fetch(source)]
    elif days is not None:
        names = [days] if isinstance(days, str) else days
        entries = [_entry(sources.IDS2018_DAYS, day, "days") for day in names]
        paths = [fetch(entry) for entry in entries]
    elif path is not None:
        paths = _files(Path(path), "*" + sources.IDS2018_SUFFIX)
    elif (home := data_home()) is not None and (
        found := sorted(home.glob("*" + sources.IDS2018_SUFFIX))
    ):
        paths = found
    else:
        raise DataUnavailableError(
            f"The official files of CSE-CIC-IDS2018, *{sources.IDS2018_SUFFIX}, are not in the "
            f"folder named by {DATA_HOME}. Get them from {source.page} and pass path=, or pass "
            "days= to download some of them, or sample= for a small sample."
        )
    flows = read_flows(paths, keep_port=keep_port, clean=clean, fraction=fraction, seed=seed)
    return Dataset(
        name="ids2018" if sample is None else f"ids2018-{sample}",
        X=flows.X,
        y=(flows.labels != "Benign").astype(np.int64),
        feature_names=flows.feature_names,
        anomaly="attacks",
        licence=source.licence,
        citation=source.citation,
        kinds=flows.labels,
    )


def load_usb_ids(
    path: str | os.PathLike[str] | None = None,
    *,
    keep_port: bool = False,
    clean: bool = True,
    fraction: float = 1.0,
    seed: int = 0,
) -> Dataset:
    """USB-IDS-1: flows under denial-of-service attacks against a web server with defences.

    Only from the official files, which a person has to get. The format was taken from published
    descriptions and has **not been checked against the files**.

    Parameters
    ----------
    path
        A CSV file, or a folder whose ``*.csv`` are read in order of their names; None for
        ``USB-IDS-1-TRAINING.csv`` and ``USB-IDS-1-TEST.csv`` in the folder named by
        ``AEGMM_DATA_HOME``, one after the other.
    keep_port, clean, fraction, seed
        As in `load_ids2018`.

    Returns
    -------
    The data set, X float32. Attacks are the anomalies; `kinds` are the labels: BENIGN,
    Hulk-NoDefense and others.

    Raises
    ------
    DataIntegrityError, DataUnavailableError, MissingExtraError
        A file is wrong, cannot be had, or pandas is missing.
    """
    source = sources.USB_IDS_1["training"]
    if path is None:
        paths = [fetch(entry) for entry in sources.USB_IDS_1.values()]
    else:
        paths = _files(Path(path), "*.csv")
    flows = read_flows(paths, keep_port=keep_port, clean=clean, fraction=fraction, seed=seed)
    return Dataset(
        name="usb-ids-1",
        X=flows.X,
        y=(np.char.upper(flows.labels) != "BENIGN").astype(np.int64),
        feature_names=flows.feature_names,
        anomaly="attacks",
        licence=source.licence,
        citation=source.citation,
        kinds=flows.labels,
    )


def _entry(entries: dict[str, sources.Source], name: str, argument: str) -> sources.Source:
    if name not in entries:
        raise ConfigurationError(f"{argument}: {name!r} is not one of {list(entries)}.")
    return entries[name]


def _files(path: Path, pattern: str) -> list[Path]:
    files = sorted(path.glob(pattern)) if path.is_dir() else [path]
    if not files:
        raise DataUnavailableError(f"The folder {path} holds no file {pattern}.")
    return files
