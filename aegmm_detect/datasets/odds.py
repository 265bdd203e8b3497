"""Two small sets of medical records from the ODDS library."""

import numpy as np

from aegmm_detect.datasets import sources
from aegmm_detect.datasets.arrays import read_arrays
from aegmm_detect.datasets.base import EMBEDDED, Dataset, read_npz
from aegmm_detect.datasets.fetch import fetch
from aegmm_detect.exceptions import DataIntegrityError

_THYROID_SHA256 = "f000055ea5090ff0c1a02a043d9acb6bc6149d704ffe1fb50f7b1534cef5574b"
_ARRHYTHMIA_SHAPE, _ARRHYTHMIA_ANOMALIES = (452, 274), 66


def load_thyroid() -> Dataset:
    """Thyroid function tests, 3,772 rows of 6 numbers with 93 anomalies (2.47 %).

    The data travels with the package; nothing is downloaded. Columns are already scaled to [0, 1]
    over all rows. ``datasets/data/README.md`` lists sources, changes and pitfalls.

    Returns
    -------
    The data set, fresh arrays at every call.

    Raises
    ------
    DataIntegrityError
        The installed file is damaged.

    Examples
    --------
    >>> from aegmm_detect.datasets import load_thyroid
    >>> thyroid = load_thyroid()
    >>> thyroid.X.shape, int(thyroid.y.sum())
    ((3772, 6), 93)
    """
    arrays = read_npz(EMBEDDED / "thyroid.npz", _THYROID_SHA256)
    return Dataset(
        name="thyroid",
        X=arrays["X"].astype(np.float64),
        y=arrays["y"].astype(np.int64),
        feature_names=("age", "TSH", "T3", "TT4", "T4U", "FTI"),
        anomaly="the smallest of three classes, 'hyperfunction'",
        licence=sources.THYROID_LICENCE,
        citation=sources.THYROID_CITATION,
    )


def load_arrhythmia() -> Dataset:
    """Electrocardiograms, 452 rows of 274 numbers with 66 anomalies (14.60 %).

    Unscaled. 17 columns are constant, and more are in a part of the rows. ODDS's ``.mat`` is
    downloaded; its checksum is not known, so its shape and number of anomalies are checked.

    Returns
    -------
    The data set, X float64. ODDS names no columns; here they are x0 to x273.

    Raises
    ------
    DataIntegrityError
        The file is not the one that it should be.
    DataUnavailableError
        It could not be downloaded.
    """
    path = fetch(sources.ARRHYTHMIA)
    arrays = read_arrays(path, ("X", "y"))
    X, y = arrays["X"], arrays["y"].ravel()
    if X.shape != _ARRHYTHMIA_SHAPE or (y == 1).sum() != _ARRHYTHMIA_ANOMALIES:
        raise DataIntegrityError(
            f"{path} has X of shape {X.shape} and {(y == 1).sum()} anomalies, expected "
            f"{_ARRHYTHMIA_SHAPE} and {_ARRHYTHMIA_ANOMALIES}: it is not ODDS's file. Delete it."
        )
    return Dataset(
        name="arrhythmia",
        X=X.astype(np.float64),
        y=(y == 1).astype(np.int64),
        feature_names=tuple(f"x{column}" for column in range(X.shape[1])),
        anomaly="the eight smallest of the classes, 3, 4, 5, 7, 8, 9, 14 and 15",
        licence=sources.ARRHYTHMIA.licence,
        citation=sources.ARRHYTHMIA.citation,
    )
