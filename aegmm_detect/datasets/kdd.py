"""Network connections of 1998, labelled by attack: KDD Cup 99 (10 %) and NSL-KDD."""

from typing import Literal

import numpy as np

from aegmm_detect.datasets import sources
from aegmm_detect.datasets.base import EMBEDDED, Dataset, read_npz
from aegmm_detect.datasets.fetch import fetch
from aegmm_detect.datasets.kdd_format import (
    CONTINUOUS_18,
    KDD99_VOCABULARY,
    NSL_KDD_VOCABULARY,
    read_kdd,
)
from aegmm_detect.exceptions import ConfigurationError

_SAMPLE_SHA256 = "cea1a465cd72c42c564b2a69fdc2e7a8f7412631e25a7c47bdcdc6ede2321795"


def load_kdd99(
    form: Literal["onehot", "rev", "continuous18"] = "onehot", *, seed: int = 0
) -> Dataset:
    """KDD Cup 99, the 10 % file: 494,021 rows, of them 97,278 normal and 396,743 attacks.

    The three forms differ in **what is called an anomaly**; say which one with every result.

    70.5 % of the rows repeat another one exactly, so a random split puts copies of training rows
    into the test set.

    Parameters
    ----------
    form
        'onehot': as in the DAGMM paper (Zong et al., ICLR 2018), **attacks are the normal class**
        and normal traffic is the anomaly, 19.69 % of the rows; 121 columns: 34 numbers, and
        dummies of the seven symbolic columns. Two columns are constant, num_outbound_cmds (0) and
        is_host_login_0 (1); the paper's 120 columns are these without one of them.

        'rev': KDDCup-Rev of the same paper, normal traffic is normal: all of its rows and, drawn
        at random, a quarter as many attacks as anomalies (24,319, so 20 %); the same columns.

        'continuous18': all rows, attacks are the anomalies (80.31 %), the 18 columns of counts
        and rates that alibi-detect's example uses.
    seed
        Draws the attacks of 'rev'; the other forms draw nothing.

    Returns
    -------
    The data set, X float32, rows in the order of the file; `kinds` are the labels: normal, smurf,
    neptune and 20 others.

    Raises
    ------
    ConfigurationError
        There is no such form.
    DataIntegrityError, DataUnavailableError, MissingExtraError
        The file is wrong, cannot be had, or pandas or pooch is missing.
    """
    if form not in ("onehot", "rev", "continuous18"):
        raise ConfigurationError(f"form={form!r}: choose 'onehot', 'rev' or 'continuous18'.")
    path = fetch(sources.KDD99)
    if form == "continuous18":
        rows = read_kdd(path, columns=CONTINUOUS_18, vocabulary={})
    else:
        rows = read_kdd(path, vocabulary=KDD99_VOCABULARY)
    kinds = np.char.rstrip(rows.labels, ".")
    attack = kinds != "normal"
    flipped = form == "onehot"
    data = Dataset(
        name={"onehot": "kdd99", "rev": "kdd99-rev", "continuous18": "kdd99-18"}[form],
        X=rows.X,
        y=(~attack if flipped else attack).astype(np.int64),
        feature_names=rows.feature_names,
        anomaly="normal traffic; attacks are the normal class" if flipped else "attacks",
        licence=sources.KDD99.licence,
        citation=sources.KDD99.citation,
        kinds=kinds,
    )
    if form != "rev":
        return data
    attacks = np.flatnonzero(attack)
    wanted = (len(attack) - len(attacks)) // 4
    drawn = np.random.default_rng(seed).choice(attacks, size=wanted, replace=False)
    return data.subset(np.sort(np.concatenate([np.flatnonzero(~attack), drawn])))


def load_kdd99_sample() -> Dataset:
    """KDD Cup 99, a sample of distinct rows: 20,000 normal and 2,000 attacks, 18 columns.

    It travels with the package; nothing is downloaded. The rows are drawn from the distinct ones
    of ``load_kdd99("continuous18")``, whose values they have bit by bit. Three quarters of the
    attacks are of one kind, neptune. ``datasets/data/README.md`` lists source, drawing and
    pitfalls.

    Returns
    -------
    The data set, X float32, rows in the order of the full file, fresh arrays at every call;
    `kinds` are the labels: normal, neptune and 15 others.

    Raises
    ------
    DataIntegrityError
        The installed file is damaged.

    Examples
    --------
    >>> from aegmm_detect.datasets import load_kdd99_sample
    >>> kdd = load_kdd99_sample()
    >>> kdd.X.shape, int(kdd.y.sum())
    ((22000, 18), 2000)
    """
    arrays = read_npz(EMBEDDED / "kdd99_sample.npz", _SAMPLE_SHA256)
    is_rate = np.array([name.endswith("_rate") for name in CONTINUOUS_18])
    X = np.empty((len(arrays["kind"]), len(CONTINUOUS_18)), dtype=np.float32)
    X[:, ~is_rate] = arrays["counts"]
    # Rates have two decimals in the full file, so hundredths give back its very numbers.
    X[:, is_rate] = arrays["hundredths"].astype(np.float64) / 100
    kinds = arrays["kind_names"].astype(np.str_)[arrays["kind"]]
    return Dataset(
        name="kdd99-sample",
        X=X,
        y=(kinds != "normal").astype(np.int64),
        feature_names=CONTINUOUS_18,
        anomaly="attacks",
        licence=sources.KDD99.licence,
        citation=sources.KDD99.citation,
        kinds=kinds,
    )


def load_nsl_kdd(part: Literal["all", "train", "test"] = "all") -> Dataset:
    """NSL-KDD: KDD Cup 99 without its repeated rows; attacks are the anomalies.

    125,973 training rows (58,630 attacks) and 22,544 test rows (12,833 attacks, 3,750 of them of
    17 types that training does not have). The column `difficulty` is derived from labels and is
    left out.

    Parameters
    ----------
    part
        'train' and 'test' are the official parts, KDDTrain+ and KDDTest+; 'all' is one after the
        other.

    Returns
    -------
    The data set, X float32 of 122 columns: 38 numbers, and dummies of protocol, service and flag
    by a fixed list of categories, the same for every part. `kinds` are the labels: normal,
    neptune and others.

    Raises
    ------
    ConfigurationError
        There is no such part.
    DataIntegrityError, DataUnavailableError, MissingExtraError
        A file is wrong, cannot be had, or pandas or pooch is missing.
    """
    if part not in ("all", "train", "test"):
        raise ConfigurationError(f"part={part!r}: choose 'all', 'train' or 'test'.")
    parts = ("train", "test") if part == "all" else (part,)
    rows = [
        read_kdd(
            fetch(sources.NSL_KDD[name]), vocabulary=NSL_KDD_VOCABULARY, trailing=["difficulty"]
        )
        for name in parts
    ]
    kinds = np.concatenate([encoded.labels for encoded in rows])
    return Dataset(
        name="nsl-kdd" if part == "all" else f"nsl-kdd-{part}",
        X=np.concatenate([encoded.X for encoded in rows]),
        y=(kinds != "normal").astype(np.int64),
        feature_names=rows[0].feature_names,
        anomaly="attacks",
        licence=sources.NSL_KDD["train"].licence,
        citation=sources.NSL_KDD["train"].citation,
        kinds=kinds,
    )
