"""Cleaning a labelled set, and flagging new rows, of a chiller's sensors with corrupted cells.

python -m benchmarks.chiller [--quick] [--seeds 5] [--stride 3] [--out FILE]

Data: ASHRAE RP-1043, ``chiller_rp1043.npz`` in the folder that AEGMM_DATA_HOME names; no open
licence, for evaluation only. Classes: the normal run and seven faults at their first severity.
Steady rows, every `stride`-th of them. For each seed half of the ten-minute blocks of every class,
drawn at random, are for training and the others are new: neighbouring rows are nearly the same, and
never on both sides. Then cells are corrupted on either side, as in Tra, Amayri and Bouguila (2022):
of 20 % of the rows, n of them, 2 n cells drawn at random. 'gross' overwrites them with 500,
'subtle' adds or takes away 5 of the column's standard deviations in the clean rows of its class. A
row is an outlier if a cell of it has changed. No model sees which. All thresholds are the 80th
percentile of training scores, which assumes the 20 %; one contender is told of them in training,
too. AUROC is the mean over the classes.
"""

import argparse
import functools
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aegmm_detect.datasets.fetch import DATA_HOME, check
from aegmm_detect.datasets.sources import File
from aegmm_detect.evaluation.environment import describe
from aegmm_detect.evaluation.metrics import precision_recall_f1, ranking
from aegmm_detect.evaluation.store import Store
from aegmm_detect.numerics.density import Scale
from aegmm_detect.od import OutlierAEGMM, PerClassAEGMM
from aegmm_detect.per_class.votes import on_one_scale, votes, votes_needed
from aegmm_detect.version import __version__
from benchmarks.protocol import ROOT, say
from benchmarks.tasks import chiller

_FILE = File(
    "chiller_rp1043.npz", "f44ace50c87fc33821dab5405282b2c69756e6c70bf1c42889671f45f359945b"
)
_LEVEL = 10  # of 10, 20, 30, 40; the normal run is class 0
_SHARE, _CELLS_PER_ROW, _GROSS, _DEVIATIONS = 0.2, 2, 500.0, 5.0
_KINDS = ("gross", "subtle")
_PERCENTILE = 80.0
_PAPER_VOTES = 5  # of 8 classes


class Rows(NamedTuple):
    X: np.ndarray  # (N, F)
    y: np.ndarray  # (N,)  class
    outlier: np.ndarray  # (N,)  1 where a cell has changed


# What a fitted model is judged by: rows (N, F) -> scores by class (N, C).
ClassScores = Callable[[np.ndarray], np.ndarray]


def corrupt(X: np.ndarray, y: np.ndarray, how: str, rng: np.random.Generator) -> Rows:
    n_rows, n_columns = X.shape
    chosen = rng.choice(n_rows, round(_SHARE * n_rows), replace=False)
    n_cells = _CELLS_PER_ROW * len(chosen)
    at = rng.choice(chosen, n_cells), rng.integers(n_columns, size=n_cells)
    changed = X.copy()
    if how == "gross":
        changed[at] = _GROSS
    else:
        spread = np.empty_like(X)
        for label in np.unique(y):
            spread[y == label] = X[y == label].std(axis=0)
        step = _DEVIATIONS * rng.choice([-1.0, 1.0], size=len(at[0]))
        changed[at] = X[at] + step * spread[at]
    return Rows(changed, y, (changed != X).any(axis=1).astype(int))


def load(stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    check(Path(os.environ[DATA_HOME]) / _FILE.name, _FILE)
    X, kinds, blocks = chiller()
    rows = np.flatnonzero((kinds % 100 == _LEVEL) | (kinds == 0))[::stride]
    return X[rows], kinds[rows], blocks[rows]


def split(
    data: tuple[np.ndarray, np.ndarray, np.ndarray], how: str, seed: int
) -> tuple[Rows, Rows]:
    """Training rows and new ones, with the same corruption for every model."""
    X, y, blocks = data
    rng = np.random.default_rng([0xC1, seed])
    training = np.zeros(len(X), dtype=bool)
    for label in np.unique(y):
        own = np.unique(blocks[y == label])
        for_training = rng.permutation(own)[: len(own) // 2]
        training |= (y == label) & np.isin(blocks, for_training)
    return corrupt(X[training], y[training], how, rng), corrupt(
        X[~training], y[~training], how, rng
    )


def deep(
    make: Callable[[int, int], PerClassAEGMM], rows: Rows, seed: int, **fit: Any
) -> ClassScores:
    detector = make(rows.X.shape[1], seed)
    detector.fit(rows.X, rows.y, verbose=0, **fit)
    return detector.class_scores


def published(n_features: int, seed: int) -> PerClassAEGMM:
    """The nets and the recipe of S-DAGMM, but for its L2 penalty, on this package's core."""
    sizes = ([50, 30, 20, 10], [15, 3], "elu", "elu", 0.2)
    member = OutlierAEGMM.from_sizes(
        n_features, *sizes, recon_reduction="sum", normalize="standard", seed=seed, threshold=0.0
    )
    return PerClassAEGMM(member, threshold=0.0)


def auto(contamination: float, n_features: int, seed: int) -> PerClassAEGMM:
    return PerClassAEGMM.auto(n_features, contamination=contamination, seed=seed, threshold=0.0)


def gaussian(n_components: int, rows: Rows, seed: int) -> ClassScores:
    """A Gaussian mixture of standardised rows for each class; one component: Mahalanobis."""
    models = []
    for label in np.unique(rows.y):
        mixture = GaussianMixture(n_components, reg_covar=1e-3, random_state=seed)
        models.append(make_pipeline(StandardScaler(), mixture).fit(rows.X[rows.y == label]))
    return lambda X: np.column_stack([-model.score_samples(X) for model in models])


CONTENDERS: dict[str, Callable[[Rows, int], ClassScores]] = {
    "auto": functools.partial(deep, functools.partial(auto, 0.0)),
    "auto, contamination=.2": functools.partial(deep, functools.partial(auto, 0.2)),
    "S-DAGMM's nets": functools.partial(
        deep, published, epochs=5, batch_size=32, optimizer=keras.optimizers.Nadam(0.01)
    ),
    "Mahalanobis": functools.partial(gaussian, 1),
    "Gaussian mixture, 4": functools.partial(gaussian, 4),
}


def judged(class_scores: ClassScores, train: Rows, new: Rows) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and the mean AUROC of the classes, by what is asked."""
    classes = np.unique(train.y)
    seen, scores = class_scores(train.X), class_scores(new.X)
    own_seen = [seen[train.y == label, i] for i, label in enumerate(classes)]
    thresholds = np.array([np.percentile(own, _PERCENTILE) for own in own_seen])
    scale = Scale(*np.array([Scale.robust(own[None]) for own in own_seen])[..., 0].T)
    least_seen = on_one_scale(seen, scale).min(axis=1)
    least = on_one_scale(scores, scale).min(axis=1)
    n_votes = votes(scores, thresholds)

    def by_class(rows: Rows, all_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number = np.searchsorted(classes, rows.y)
        own = np.take_along_axis(all_scores, number[:, None], axis=1)[:, 0]
        return own, own > thresholds[number]

    asked = {
        "clean the training rows, own class": (train, *by_class(train, seen)),
        "new rows, own class": (new, *by_class(new, scores)),
        "new rows, minimum": (new, least, least > np.percentile(least_seen, _PERCENTILE)),
    }
    for share in (_PAPER_VOTES, 1.0):
        needed = votes_needed(share, len(classes))
        asked[f"new rows, {needed} votes"] = (new, n_votes, n_votes >= needed)
    return {
        name: {
            **precision_recall_f1(rows.outlier, flagged),
            "auroc": statistics.mean(
                ranking(rows.outlier[rows.y == label], found[rows.y == label])["auroc"]
                for label in classes
            ),
        }
        for name, (rows, found, flagged) in asked.items()
    }


def table(runs: list[dict[str, Any]]) -> str:
    seeds = sorted({run["split_seed"] for run in runs})
    head = f"Mean and standard deviation over the seeds {seeds}"
    lines = [f"{head:58}{'precision':>16}{'recall':>16}{'F1':>16}{'AUROC':>16}"]
    names = [f"{how}: {name}" for how in _KINDS for name in CONTENDERS]
    for question in runs[0]["metrics"]:
        lines.append(question)
        for name in names:
            found = [run["metrics"][question] for run in runs if run["contender"] == name]
            cells = []
            for metric in ("precision", "recall", "f1", "auroc"):
                values = [one[metric] for one in found]
                cells.append(f"{statistics.mean(values):.3f} ± {statistics.pstdev(values):.3f}")
            lines.append(f"  {name:56}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chiller", description="Judge detectors of classes."
    )
    parser.add_argument("--quick", action="store_true", help="one seed, few rows: does it run?")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--stride", type=int, default=3, help="take every so many rows")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks" / "results" / "chiller.json"
    )
    options = parser.parse_args(arguments)
    if DATA_HOME not in os.environ:
        raise SystemExit(f"Set {DATA_HOME} to the folder that holds {_FILE.name}.")
    seeds, stride = (1, 30) if options.quick else (options.seeds, options.stride)
    protocol = {"level": _LEVEL, "stride": stride, "share": _SHARE, "percentile": _PERCENTILE}
    header = {"benchmark": "chiller", "sha256": _FILE.sha256, "package": __version__, **protocol}
    store, data = Store(options.out, header), load(stride)
    environment = store.environment(describe())
    for seed in range(seeds):
        for how in _KINDS:
            train, new = split(data, how, seed)
            for name, fit in CONTENDERS.items():
                contender = f"{how}: {name}"
                key = {"contender": contender, "split_seed": seed, "model_seed": seed}
                if store.find(key, {}):
                    continue
                start = time.perf_counter()
                metrics = judged(fit(train, seed), train, new)
                seconds = round(time.perf_counter() - start, 1)
                say(f"chiller: {contender}, seed {seed}: {seconds} s")
                counts = {"n_train": len(train.y), "n_new": len(new.y)}
                more = {"seconds": seconds, "environment": environment, **counts}
                store.add({**key, "config": {}, "metrics": metrics, **more})
    print(table(store.runs))


if __name__ == "__main__":
    main()
