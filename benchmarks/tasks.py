"""Development tasks, on which the recipe of `auto` is chosen.

Thirty-two tables, of 6 to some 500 columns and 125 to 10,000 training rows: classes of NSL-KDD,
CSE-CIC-IDS2018 and chiller measurements against one another (no whole set, no split and no protocol
of the results); normal rows of Thyroid and Arrhythmia with anomalies that are made, so that these
tasks read none of their labels beyond "normal"; and manifolds. The kinds of made anomalies are
those of ADBench (Han et al., NeurIPS 2022).
"""

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from aegmm_detect import datasets

Rng = np.random.Generator


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """Normal rows to train on; rows to judge, labelled."""

    name: str
    train: np.ndarray  # (M, F)
    test: np.ndarray  # (N, F)
    y: np.ndarray  # (N,)  1 anomaly


def halves(name: str, normal: np.ndarray, anomalies: np.ndarray, share: float, rng: Rng) -> Task:
    """Train on half of the normal rows; `share` of the test rows are anomalies, where there are."""
    normal = rng.permutation(normal)
    train, rest = normal[: len(normal) // 2], normal[len(normal) // 2 :]
    wanted = min(len(anomalies), max(10, round(share / (1.0 - share) * len(rest))))
    drawn = anomalies[rng.choice(len(anomalies), wanted, replace=False)]
    y = np.repeat([0, 1], [len(rest), wanted])
    return Task(name, train, np.concatenate([rest, drawn]), y)


@functools.cache
def nsl() -> Any:
    return datasets.load("nsl-kdd", part="train")


@functools.cache
def flows() -> Any:
    return datasets.load("ids2018", sample="twodays")


@functools.cache
def chiller() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sensor rows, class (fault x 100 + level) and ten-minute block of each; see the data's notes.

    ASHRAE RP-1043 has no open licence: for evaluation only, read from the data folder.
    """
    with np.load(Path(os.environ["AEGMM_DATA_HOME"]) / "chiller_rp1043.npz") as file:
        X, names = file["X"].astype(np.float64), file["columns"].tolist()
        kinds = file["fault"].astype(int) * 100 + file["level"]
        blocks = file["time_s"] // 600
    at = names.index
    keep = (X[:, at("kW")] > 5) & (X[:, at("Active Fault")] == 0) & (np.abs(X) < 5000).all(axis=1)
    keep &= (X[:, [at("TWEO"), at("TWCI")]] > 0).all(axis=1)
    out = ("Active Fault", "Unit Status", "TWE_set")
    columns = [i for i, name in enumerate(names) if name not in out]
    return X[keep][:, columns], kinds[keep], blocks[keep].astype(int)


def numeric_columns(names: tuple[str, ...]) -> list[int]:
    """Those that are no dummies of a category."""
    dummies = ("protocol_type_", "service_", "flag_")
    return [i for i, name in enumerate(names) if not name.startswith(dummies)]


def attack(kind: str, n_normal: int, share: float, columns: str, rng: Rng) -> Task:
    """Normal connections of NSL-KDD against one kind of attack."""
    data = nsl()
    X = data.X if columns == "all" else data.X[:, numeric_columns(data.feature_names)]
    normal = rng.choice(np.flatnonzero(data.y == 0), n_normal, replace=False)
    found = np.flatnonzero(data.kinds == kind)
    return halves(f"nsl {kind} {columns} {n_normal}", X[normal], X[found], share, rng)


def among_attacks(normal: tuple[str, ...], strange: str, most: int, share: float, rng: Rng) -> Task:
    """Some kinds of attacks of NSL-KDD against another."""
    data = nsl()
    rows = np.flatnonzero(np.isin(data.kinds, normal))
    rows = rng.choice(rows, min(most, len(rows)), replace=False)
    found = np.flatnonzero(data.kinds == strange)
    return halves(f"nsl {'+'.join(normal)}/{strange}", data.X[rows], data.X[found], share, rng)


def flow(kind: str, n_normal: int, n_columns: int, share: float, rng: Rng) -> Task:
    """Benign flows of IDS2018 against one attack, seen through some of the columns."""
    data = flows()
    columns = rng.choice(data.X.shape[1], n_columns, replace=False)
    normal = rng.choice(np.flatnonzero(data.y == 0), n_normal, replace=False)
    found = np.flatnonzero(data.kinds == kind)
    X = data.X[:, columns]
    return halves(f"ids {kind} {n_columns} {n_normal}", X[normal], X[found], share, rng)


def operation(n_normal: int, n_columns: int, n_classes: int, share: float, rng: Rng) -> Task:
    """Chiller: several ways of running against another, seen through some of the columns.

    Neighbouring samples are nearly the same, so training and test rows are of different blocks.
    """
    X, kinds, blocks = chiller()
    classes = rng.permutation(np.unique(kinds))
    usual, strange = classes[:n_classes], classes[n_classes]
    columns = rng.choice(X.shape[1], n_columns, replace=False)
    rows = np.flatnonzero(np.isin(kinds, usual))
    parts = [rows[blocks[rows] % 2 == parity] for parity in (0, 1)]
    train, rest = (rng.choice(part, min(n_normal // 2, len(part)), False) for part in parts)
    found = np.flatnonzero(kinds == strange)
    found = rng.choice(found, max(10, round(share / (1.0 - share) * len(rest))), replace=False)
    name = f"chiller {n_classes} classes {n_columns} {n_normal}"
    test = X[np.concatenate([rest, found])][:, columns]
    return Task(name, X[train][:, columns], test, np.repeat([0, 1], [len(rest), len(found)]))


def made(source: str, how: str, share: float, rng: Rng) -> Task:
    """Normal rows of a small table, and anomalies made from their own distribution."""
    data = datasets.load(source)
    normal = data.X[data.y == 0].astype(np.float64)
    scaler = StandardScaler().fit(normal)
    rows = scaler.transform(normal)
    n_made = max(10, round(share / (1.0 - share) * len(rows) / 2))
    if how == "dependency":  # each column from another row: the marginals stay
        draws = rng.integers(len(rows), size=(n_made, rows.shape[1]))
        strange = np.take_along_axis(rows, draws, axis=0)
    elif how == "global":
        low, high = np.percentile(rows, [0.5, 99.5], axis=0)
        strange = rng.uniform(1.1 * low, 1.1 * high, size=(n_made, rows.shape[1]))
    else:
        mixture = GaussianMixture(3, reg_covar=1e-2, random_state=0).fit(rows)
        if how == "local":
            mixture.covariances_ = mixture.covariances_ * 3.0
        else:  # cluster
            mixture.means_ = mixture.means_ * 2.0 + 1.0
        mixture.random_state = int(rng.integers(2**31))
        strange = mixture.sample(n_made)[0]
    return halves(f"{source} {how}", normal, scaler.inverse_transform(strange), share, rng)


def some_strange(n_normal: int, n_columns: int, n_off: int, share: float, rng: Rng) -> Task:
    """Rows near a bent manifold with heavy-tailed noise; anomalies have a few columns wrong."""
    code = rng.standard_t(4, size=(2 * n_normal, max(2, n_columns // 6)))
    weights = rng.normal(size=(code.shape[1], n_columns)) / np.sqrt(code.shape[1])
    X = np.sin(code @ weights) + code @ weights
    X += 0.3 * rng.standard_t(5, size=X.shape)
    X[:, : n_columns // 4] = np.exp(np.clip(X[:, : n_columns // 4], -6, 6))  # like amounts
    normal, strange = X[:n_normal], X[n_normal:].copy()
    for row, other in zip(strange, rng.permutation(X[n_normal:]), strict=True):
        off = rng.choice(n_columns, n_off, replace=False)
        row[off] = other[off] + 1.0
    return halves(f"manifold {n_columns} off {n_off}", normal, strange, share, rng)


def sparse(kind: str, n_normal: int, n_bins: int, share: float, rng: Rng) -> Task:
    """NSL-KDD with every number cut into bins: wide, sparse, binary."""
    data = nsl()
    normal = rng.choice(np.flatnonzero(data.y == 0), n_normal, replace=False)
    found = rng.choice(np.flatnonzero(data.kinds == kind), 400, replace=False)
    rows = data.X[np.concatenate([normal, found])]
    parts = []
    for column in rows.T:
        edges = np.unique(np.quantile(column[: len(normal)], np.linspace(0, 1, n_bins + 1)[1:-1]))
        parts.append(np.eye(len(edges) + 1)[np.searchsorted(edges, column)])
    X = np.concatenate(parts, axis=1)
    return halves(f"sparse {kind} {X.shape[1]}", X[: len(normal)], X[len(normal) :], share, rng)


# Name of a maker and its arguments; the place in the list is the seed.
_MAKERS: tuple[tuple[Callable[..., Task], tuple[Any, ...]], ...] = (
    (attack, ("neptune", 4000, 0.2, "all")),
    (attack, ("satan", 1000, 0.1, "all")),
    (attack, ("guess_passwd", 6000, 0.02, "all")),
    (attack, ("portsweep", 20000, 0.05, "numeric")),
    (attack, ("warezclient", 2000, 0.15, "numeric")),
    (attack, ("back", 600, 0.2, "numeric")),
    (among_attacks, (("satan", "ipsweep", "portsweep"), "nmap", 6000, 0.1)),
    (among_attacks, (("neptune", "smurf"), "teardrop", 3000, 0.1)),
    (among_attacks, (("warezclient",), "guess_passwd", 800, 0.1)),
    (flow, ("SSH-Bruteforce", 3000, 20, 0.1)),
    (flow, ("DDoS attacks-LOIC-HTTP", 4000, 10, 0.25)),
    (flow, ("SSH-Bruteforce", 800, 77, 0.05)),
    (flow, ("FTP-BruteForce", 6000, 40, 0.02)),
    (operation, (8000, 9, 4, 0.1)),
    (operation, (3000, 30, 8, 0.2)),
    (operation, (1200, 16, 3, 0.05)),
    (operation, (600, 62, 6, 0.15)),
    (operation, (12000, 36, 12, 0.3)),
    (operation, (300, 12, 2, 0.1)),
    (operation, (5000, 8, 16, 0.05)),
    (made, ("thyroid", "dependency", 0.05)),
    (made, ("thyroid", "local", 0.05)),
    (made, ("thyroid", "global", 0.05)),
    (made, ("thyroid", "cluster", 0.05)),
    (made, ("arrhythmia", "dependency", 0.15)),
    (made, ("arrhythmia", "local", 0.15)),
    (some_strange, (500, 30, 3, 0.1)),
    (some_strange, (3000, 12, 3, 0.05)),
    (some_strange, (250, 9, 4, 0.15)),
    (some_strange, (1500, 160, 12, 0.1)),
    (sparse, ("satan", 1500, 40, 0.15)),
    (sparse, ("warezclient", 3000, 12, 0.15)),
)
N_TASKS = len(_MAKERS)
# Numbers of those that need no data folder.
OFFLINE = tuple(
    number
    for number, (maker, arguments) in enumerate(_MAKERS)
    if maker is some_strange or arguments[0] == "thyroid"
)


def task(number: int) -> Task:
    """Task `number`, always the same."""
    maker, arguments = _MAKERS[number]
    return maker(*arguments, np.random.default_rng([0xDE5, number]))
