"""Contenders x seeds on one data set under one protocol, with every run kept on disk.

Run r of every contender sees the same split and has the same model seed, so results are paired.
Failures are results. A benchmark that was interrupted goes on where it stopped.
"""

import gc
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aegmm_detect.datasets.base import Dataset
from aegmm_detect.evaluation import metrics
from aegmm_detect.evaluation.contenders import Factory
from aegmm_detect.evaluation.environment import describe
from aegmm_detect.evaluation.protocols import (
    ProtocolName,
    Split,
    SplitOptions,
    distinct_rows,
    make_split,
    n_equal_rows,
)
from aegmm_detect.evaluation.rules import Scored
from aegmm_detect.evaluation.store import Store
from aegmm_detect.evaluation.summary import summarise
from aegmm_detect.exceptions import ConfigurationError
from aegmm_detect.version import __version__

logger = logging.getLogger(__name__)

# Called with each run and how many of all are done.
Progress = Callable[[dict[str, Any], int, int], None]


def run(
    data: Dataset,
    protocol: ProtocolName,
    contenders: Mapping[str, Factory],
    path: str | os.PathLike[str],
    *,
    n_runs: int = 20,
    seed: int = 0,
    fixed_split: bool = False,
    dedup: bool = False,
    retry_failed: bool = False,
    options: SplitOptions | None = None,
    reference: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run a benchmark, or the rest of one.

    Parameters
    ----------
    data
        Rows as they are; contenders scale them themselves.
    protocol
        See `protocols`.
    contenders
        Name -> factory ``(n_features, seed) -> model`` with `fit` and `score`.
    path
        JSON file of results, written after every run. Runs in it are not repeated; a contender
        whose settings have changed is run anew, one that has a new option which is off is not.
    n_runs
        Seeds per contender.
    seed
        Run r has split seed and model seed ``seed + r``.
    fixed_split
        All runs have the split of `seed`, and differ in the model seed only.
    dedup
        Keep only distinct feature vectors, so that none is in both training and test; see
        `protocols.distinct_rows`.
    retry_failed
        Repeat runs of the file that failed.
    options
        Departures from the protocol.
    reference
        Contender from which the others' paired differences are taken. Default: the file's, if any.
    progress
        Called after each run that is done here with its record, the number done and of all.

    Returns
    -------
    The content of the file: data set, protocol, options, summary by contender, and all runs.

    Raises
    ------
    ConfigurationError
        Options that do not fit, or a file with results of another benchmark.
    InvalidInputError
        Data that cannot be split so.
    """
    if n_runs < 1:
        raise ConfigurationError(f"n_runs={n_runs}: at least 1 is needed.")
    if reference is not None and reference not in contenders:
        raise ConfigurationError(f"reference={reference!r} is not one of {list(contenders)}.")
    options = options or SplitOptions()
    n_before = len(data.X)
    if dedup:
        data = data.subset(distinct_rows(data.X, data.y))
    header = {
        "version": __version__,
        "dataset": describe_data(data, n_before),
        "protocol": protocol,
        "options": {**options.model_dump(mode="json"), "dedup": dedup, "fixed_split": fixed_split},
    }
    store = Store(path, header)
    environment, done = store.environment(describe()), 0
    kept: dict[str, list[Any]] = {name: [] for name in contenders}
    for r in range(n_runs):
        split_seed, model_seed = seed if fixed_split else seed + r, seed + r
        # Outside of what is recorded as a contender's failure: no contender could run on it.
        split = make_split(data.y, protocol, split_seed, options)
        sizes: dict[str, int] = {}  # comparing all rows takes seconds: once, and if need be
        for name, factory in contenders.items():
            key = {"contender": name, "split_seed": split_seed, "model_seed": model_seed}
            done += 1
            model, about = _made(factory, data.X.shape[1], model_seed)
            earlier = store.find(key, about["config"])
            if earlier is not None and not (retry_failed and earlier["failure"]):
                kept[name].append(earlier)
                continue
            sizes = sizes or _sizes(data, split)
            outcome = about if model is None else about | _outcome(model, data, split)
            record = {**key, "environment": environment, "sizes": sizes, **outcome}
            store.add(record)
            if progress is not None:
                progress(record, done, n_runs * len(contenders))
            del model
        gc.collect()  # compiled programs and their buffers hang in cycles
    _say_what_was_kept(kept, path)
    order = [*contenders, *sorted({r["contender"] for r in store.runs} - set(contenders))]
    reference = reference or store.reference
    return store.write(
        reference=reference, summary=summarise(store.runs, order, reference=reference)
    )


def _say_what_was_kept(kept: dict[str, list[Any]], path: str | os.PathLike[str]) -> None:
    for name, runs in kept.items():
        if failed := sum(run["failure"] is not None for run in runs):
            logger.warning(
                "%d runs of %s in %s failed and are kept: pass retry_failed=True to repeat them.",
                failed,
                name,
                path,
            )
        if runs and runs[0]["config"] and runs[0]["config"].keys() == {"class"}:
            logger.warning(
                "%d runs of %s are taken from %s. It has no describe(), so other settings of the "
                "same class go unseen: move the file away if they have changed.",
                len(runs),
                name,
                path,
            )


def describe_data(data: Dataset, n_before: int) -> dict[str, Any]:
    """Name, sizes and a checksum, by which a file of results knows its data again."""
    checksum = hashlib.sha256(np.ascontiguousarray(data.X).data)
    checksum.update(np.ascontiguousarray(data.y).data)
    return {
        "name": data.name,
        "anomaly": data.anomaly,
        "rows": len(data.X),
        "features": int(np.prod(data.X.shape[1:])),
        "anomalies": int(data.y.sum()),
        "rows_before_dedup": n_before,
        "sha256": checksum.hexdigest(),
    }


def _made(factory: Factory, n_features: int, seed: int) -> tuple[Any, dict[str, Any]]:
    """A model, or None and why not."""
    try:
        model = factory(n_features, seed)
        # Of a model that does not describe itself, the class is all there is to know it by.
        named = {"class": type(model).__qualname__}
        config = model.describe() if hasattr(model, "describe") else named
    except Exception as error:
        return None, {"config": None, "failure": _text(error)}
    return model, {"config": config, "failure": None}


def _outcome(model: Any, data: Dataset, split: Split) -> dict[str, Any]:
    try:
        return measure(model, data, split)
    except Exception as error:
        return {"failure": _text(error)}


def _sizes(data: Dataset, split: Split) -> dict[str, int]:
    return {
        "train": len(split.train),
        "train_anomalies": int(data.y[split.train].sum()),
        "labelled": len(split.labelled),
        "test": len(split.test),
        "test_anomalies": int(data.y[split.test].sum()),
        # Rows of the data that repeat: no row number is in both.
        "test_equal_to_train": n_equal_rows(data.X[split.test], data.X[split.train]),
    }


def measure(model: Any, data: Dataset, split: Split) -> dict[str, Any]:
    """Fit, score and judge one model.

    Parameters
    ----------
    model
        Not fitted.
    data
        All rows. `model` never sees a label, unless it learns from labels: then those of its
        training rows.
    split
        Which of them it is for.

    Returns
    -------
    metrics, recall_by_kind (None without kinds), fit_seconds, score_seconds, scored_rows.

    Raises
    ------
    InvalidInputError
        Scores of another shape, or not finite. Besides, whatever the model raises.
    """
    start = time.perf_counter()
    labels = [data.y[split.train]] if getattr(model, "learns_from_labels", False) else []
    model.fit(data.X[split.train], *labels)
    fitted = time.perf_counter()
    train = split.train if split.rule.reads_train else split.train[:0]
    rows = np.concatenate([split.test, split.labelled, train])
    scores = metrics.check_scores(model.score(data.X[rows]), len(rows))
    scored = time.perf_counter()
    ends = np.cumsum([len(split.test), len(split.labelled)])
    on_test, on_labelled, on_train = np.split(scores, ends)
    y_test = data.y[split.test]
    flagged = split.rule.decide(
        Scored(on_test, int(y_test.sum()), on_train, on_labelled, data.y[split.labelled])
    )
    by_kind = None
    if data.kinds is not None:
        by_kind = metrics.recall_by_kind(y_test, flagged, data.kinds[split.test])
    return {
        "metrics": metrics.evaluate(y_test, on_test, flagged),
        "recall_by_kind": by_kind,
        "fit_seconds": round(fitted - start, 4),
        "score_seconds": round(scored - fitted, 4),
        "scored_rows": len(rows),
    }


def _text(error: Exception) -> str:
    # Files of results are published: no path of somebody's machine, no pages of a trace.
    text = re.sub(
        r"(?:[A-Za-z]:)?(?:[/\\][\w.+-]+){2,}", "<path>", f"{type(error).__name__}: {error}"
    )
    return text[:500]
