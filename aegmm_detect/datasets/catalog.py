"""Real data sets: names, checksums, loaders."""

from importlib import resources

import numpy as np

from aegmm_detect.datasets.base import Dataset, read_npz

_DATA = resources.files("aegmm_detect.datasets") / "data"
_THYROID_SHA256 = "f000055ea5090ff0c1a02a043d9acb6bc6149d704ffe1fb50f7b1534cef5574b"


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
    arrays = read_npz(_DATA / "thyroid.npz", _THYROID_SHA256)
    return Dataset(
        name="thyroid",
        X=arrays["X"].astype(np.float64),
        y=arrays["y"].astype(np.int64),
        feature_names=("age", "TSH", "T3", "TT4", "T4U", "FTI"),
        anomaly="the smallest of three classes, 'hyperfunction'",
        licence="CC BY 4.0",
        citation=(
            "Quinlan (1987), Thyroid Disease, UCI Machine Learning Repository, "
            "doi:10.24432/C5D010; via Rayana (2016), ODDS Library, Stony Brook University."
        ),
    )
