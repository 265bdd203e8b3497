"""Which rows are trained on, which are judged, and how scores become decisions.

The protocols differ in the share of anomalies in the test set, and F1 and AP with it, so that the
same model has other numbers under each: compare within one protocol only (Fourure et al., ECML
2021; Alvarez et al., arXiv 2204.09825).

=======  =========================  ============================  ===============================
name     training rows              test rows                     flagged
=======  =========================  ============================  ===============================
A        normal rows of a random    the whole other half          the top share of the test rows
         half of all rows
B        a random half of the       all other rows                as many as there are anomalies
         normal rows
B-fix    the first half of them,    all other rows                as many as there are anomalies
         in the order of the file
C        as B                       as B                          above a percentile of training
                                                                  and test scores together
D        as B                       80 % of B's, drawn at random  above the threshold of best F1
                                                                  on the other 20 %
=======  =========================  ============================  ===============================

A: Zong et al. (DAGMM, ICLR 2018). B: Bergman and Hoshen (GOAD, ICLR 2020) for large sets, B-fix for
their small ones. C: public reimplementations of DAGMM. D: Alvarez et al. (2022), except that
training and test rows come from one permutation, so that they never overlap.

Rows are only numbered here. Scaling is part of a model and learned from its training rows.
"""

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import Field

from aegmm_detect.configs.base import Settings
from aegmm_detect.evaluation.rules import (
    BestF1Percentile,
    OracleCount,
    Rule,
    TopShare,
    UnionPercentile,
)
from aegmm_detect.exceptions import ConfigurationError, InvalidInputError
from aegmm_detect.types import Array, IntArray

ProtocolName = Literal["A", "B", "B-fix", "C", "D"]
PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)

_LABELLED_SHARE = 0.2
# Models are seeded with the same small numbers; this keeps their draws apart from the split's.
_STREAM = 0xAE6


class SplitOptions(Settings):
    """Departures from a protocol as it is published.

    Parameters
    ----------
    rho
        Share of the *training* rows that are anomalies. They are taken from a hold-out of
        anomalies that are not in the test set; in protocol A from the half that is trained on,
        where they are anyway.
    holdout
        Share of all anomalies in that hold-out, whether `rho` uses them or not: runs with several
        `rho` then have the same test set. None: as many as `rho` needs. Not for A.
    max_train
        Most training rows; those left out are not put into the test set.
    ratio
        Share of rows to flag, for A and C only. None: the share of anomalies, of all rows for A,
        of training and test rows for C.
    """

    rho: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    holdout: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    max_train: Annotated[int, Field(ge=2)] | None = None
    ratio: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Numbers of rows; the three parts have none in common."""

    protocol: ProtocolName
    train: IntArray  # (M,)  ascending
    test: IntArray  # (N,)  ascending
    labelled: IntArray  # (L,)  ascending; for a rule that reads labels, else empty
    rule: Rule


def make_split(
    y: Array, protocol: ProtocolName, seed: int, options: SplitOptions | None = None
) -> Split:
    """Split rows by a protocol.

    Parameters
    ----------
    y
        Labels (N,), 1 anomaly, 0 normal.
    protocol
        'A', 'B', 'B-fix', 'C' or 'D'.
    seed
        The same gives the same split. B-fix depends on it only where `rho` draws anomalies.
    options
        Default: the protocol as it is published.

    Returns
    -------
    The split and its rule. With one seed, the training rows of a smaller `max_train` are among
    those of a larger one, and so are the anomalies of a smaller `rho`.

    Raises
    ------
    ConfigurationError
        No such protocol, or options that do not fit it or the number of anomalies.
    InvalidInputError
        Labels that leave a part without normal rows or without anomalies.
    """
    options = options or SplitOptions()
    y = np.asarray(y)
    if protocol not in PROTOCOLS:
        raise ConfigurationError(f"protocol={protocol!r}: there are {', '.join(PROTOCOLS)}.")
    _check_options(protocol, options)
    if seed < 0:
        raise ConfigurationError(f"seed={seed}: pass a whole number from 0.")
    if y.ndim != 1 or not np.isin(y, (0, 1)).all():
        raise InvalidInputError("y has to be labels (N,): 1 anomaly, 0 normal.")
    rng = np.random.default_rng([_STREAM, seed])
    parts = (
        _halves_of_all(y, rng, options)
        if protocol == "A"
        else _halves_of_normals(y, rng, options, shuffle=protocol != "B-fix")
    )
    train, test = map(np.sort, parts)
    labelled = test[:0]
    if protocol == "D":
        labelled, test = _cut(rng.permutation(test), round(_LABELLED_SHARE * len(test)))
        labelled, test = np.sort(labelled), np.sort(test)
    if len(train) < 2 or len(np.unique(y[test])) < 2:
        raise InvalidInputError(
            f"Protocol {protocol} leaves {len(train)} training rows and {len(test)} test rows, "
            f"{int(y[test].sum())} of them anomalies: at least two training rows, and test rows "
            "of both classes are needed."
        )
    return Split(protocol, train, test, labelled, _rule(protocol, options, y, train, test))


def distinct_rows(X: Array, y: Array) -> IntArray:
    """Numbers of the rows to keep so that no feature vector is there twice.

    The first of equal rows is kept. A vector that occurs under both labels is left out entirely:
    no model can be right about it, and which label to believe is not for a benchmark to say.

    Parameters
    ----------
    X
        Rows (N, ...). Equal means bit by bit, with -0 and 0 the same.
    y
        Labels (N,).

    Returns
    -------
    Row numbers (M,), ascending.
    """
    first: dict[bytes, int] = {}
    ambiguous: set[int] = set()
    for i, row in enumerate(_row_bytes(X)):
        seen = first.setdefault(row, i)
        if y[seen] != y[i]:
            ambiguous.add(seen)
    return np.array([i for i in first.values() if i not in ambiguous], dtype=np.int64)


def n_equal_rows(X: Array, others: Array) -> int:
    """How many rows of `X` (N, ...) are also among `others` (M, ...), bit by bit."""
    known = set(_row_bytes(others))
    return sum(row in known for row in _row_bytes(X))


def _row_bytes(X: Array) -> Iterator[bytes]:
    rows = np.ascontiguousarray(X) + np.zeros((), dtype=np.asarray(X).dtype)  # -0 becomes 0
    return (row.tobytes() for row in rows)


def _check_options(protocol: str, options: SplitOptions) -> None:
    if protocol == "A" and options.holdout is not None:
        raise ConfigurationError(
            "holdout is not for protocol A, which has anomalies to spare in the half it trains on."
        )
    if protocol not in ("A", "C") and options.ratio is not None:
        raise ConfigurationError(f"ratio is not for protocol {protocol}, which flags by labels.")


def _halves_of_all(
    y: Array, rng: np.random.Generator, options: SplitOptions
) -> tuple[IntArray, IntArray]:
    first, test = _cut(rng.permutation(len(y)), len(y) // 2)
    normal, spare = first[y[first] == 0], first[y[first] == 1]
    n_normal, n_spare = _train_counts(len(normal), len(spare), options)
    return np.concatenate([normal[:n_normal], spare[:n_spare]]), test


def _halves_of_normals(
    y: Array, rng: np.random.Generator, options: SplitOptions, shuffle: bool
) -> tuple[IntArray, IntArray]:
    normal, anomalous = np.flatnonzero(y == 0), rng.permutation(np.flatnonzero(y == 1))
    normal = rng.permutation(normal) if shuffle else normal
    pool, rest = _cut(normal, len(normal) // 2)
    n_held = None if options.holdout is None else round(options.holdout * len(anomalous))
    n_spare = max(len(anomalous) - 1, 0) if n_held is None else n_held
    n_normal, n_wanted = _train_counts(len(pool), n_spare, options)
    _, tested = _cut(anomalous, n_wanted if n_held is None else n_held)
    train = np.concatenate([pool[:n_normal], anomalous[:n_wanted]])
    return train, np.concatenate([rest, tested])


def _train_counts(n_normal: int, n_spare: int, options: SplitOptions) -> tuple[int, int]:
    """Numbers of normal and anomalous training rows."""
    n_wanted = round(n_normal * options.rho / (1.0 - options.rho))
    total = n_normal + n_wanted
    if options.max_train is not None and total > options.max_train:
        total = options.max_train
        n_wanted = round(options.rho * total)
    if n_wanted > n_spare:
        raise ConfigurationError(
            f"rho={options.rho} of {total} training rows are {n_wanted} anomalies, and {n_spare} "
            f"are to spare: lower rho below {n_spare / total:.4f}, raise holdout, or lower "
            "max_train."
        )
    return min(n_normal, total - n_wanted), n_wanted


def _rule(
    protocol: ProtocolName, options: SplitOptions, y: Array, train: IntArray, test: IntArray
) -> Rule:
    if protocol == "A":
        return TopShare(float(y.mean()) if options.ratio is None else options.ratio)
    if protocol == "C":
        share = float(y[np.concatenate([train, test])].mean())
        return UnionPercentile(share if options.ratio is None else options.ratio)
    return BestF1Percentile() if protocol == "D" else OracleCount()


def _cut(rows: IntArray, count: int) -> tuple[IntArray, IntArray]:
    return rows[:count], rows[count:]
