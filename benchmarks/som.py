"""Self-organising maps on KDD Cup 99: time, and how well they keep neighbours together.

python -m benchmarks.som [--quick] [--out benchmarks/results/som.json]

Needs MiniSom (``pip install minisom``) and the data set: the 10 % file, one-hot, standardised. Maps
are trained on one half of it and looked at with rows of the other. No labels are read.
"""

import argparse
import datetime
import importlib
import json
import statistics
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr
from sklearn.preprocessing import StandardScaler

from aegmm_detect.configs.maps import MapTraining
from aegmm_detect.datasets import load_kdd99
from aegmm_detect.evaluation.environment import describe, load_average
from aegmm_detect.numerics.som import grid, merge_close, nearest_node, quantisation_error, winners
from aegmm_detect.training.maps import train_map
from aegmm_detect.types import FloatArray, IntArray
from benchmarks.protocol import ROOT, Turns, raw, say
from benchmarks.som_batch import train_by_batches

_SIDE, _RADIUS, _RATE = 32, 8.0, 0.6


class Sizes(NamedTuple):
    n_steps: int = 8000
    n_winners: int = 100_000
    n_looked_at: int = 20_000
    n_one_by_one: int = 2000  # rows of MiniSom's `winner`
    seeds: int = 3


QUICK = Sizes(n_steps=200, n_winners=2000, n_looked_at=1000, n_one_by_one=20, seeds=1)
Train = Callable[[FloatArray, int], FloatArray]


def import_minisom() -> Any:
    try:
        return importlib.import_module("minisom")
    except ImportError:
        raise SystemExit(
            "MiniSom is not installed; this benchmark compares with it: pip install minisom"
        ) from None


def minisom_map(
    X: FloatArray, seed: int, kind: str, radius: float, n_steps: int
) -> tuple[Any, FloatArray]:
    """MiniSom with its own decay, begun with random rows as ours."""
    som = import_minisom().MiniSom(
        _SIDE,
        _SIDE,
        X.shape[1],
        sigma=radius,
        learning_rate=_RATE,
        neighborhood_function=kind,
        random_seed=seed,
    )
    rows = X[np.random.default_rng(seed).choice(len(X), n_steps, replace=False)]
    som.random_weights_init(rows)
    som.train(rows, n_steps)
    return som, som.get_weights().astype(np.float32)


def contenders(n_steps: int) -> dict[str, Train]:
    def ours(**settings: Any) -> Train:
        training = MapTraining(n_steps=n_steps, learning_rate=_RATE, **settings)
        return lambda X, seed: train_map(X, _SIDE, seed, training)

    def kept(kind: str, radius: float) -> Train:
        return lambda X, seed: minisom_map(X, seed, kind, radius, n_steps)[1]

    return {
        "ours, bubble": ours(radius=_RADIUS),
        "ours, bubble, linear start": ours(radius=_RADIUS, init="linear"),
        "ours, bubble, radius 1": ours(radius=1.0),
        "ours, gaussian": ours(radius=_RADIUS, neighbourhood="gaussian"),
        "ours, gaussian, radius 4": ours(radius=4.0, neighbourhood="gaussian"),
        "MiniSom, bubble": kept("bubble", _RADIUS),
        "MiniSom, bubble, sigma 1": kept("bubble", 1.0),
        "MiniSom, gaussian": kept("gaussian", _RADIUS),
        "batches, gaussian": lambda X, seed: train_by_batches(X, _SIDE, seed, n_steps, _RADIUS),
    }


def topology(X: FloatArray, weights: FloatArray) -> dict[str, float]:
    """Of distinct rows: one that repeats a hundred thousand times would decide alone.

    Topographic error: share of rows whose second nearest node is none of the eight around the
    nearest; nodes that are equal count once. Correlation: Spearman's, of distances of pairs of rows
    and those of their winners.
    """
    rows = np.unique(X, axis=0)
    first, second = two_nearest(rows, weights).T
    places = grid(_SIDE) * (_SIDE - 1)
    apart = np.abs(places[first] - places[second]).max(axis=1)
    a, b = np.random.default_rng(0).integers(len(rows), size=(2, 20_000))
    far = np.linalg.norm(rows[a] - rows[b], axis=1)
    far_on_map = np.linalg.norm(places[first[a]] - places[first[b]], axis=1)
    return {
        "topographic_error": float((apart > 1.5).mean()),
        "correlation": float(spearmanr(far, far_on_map)[0]),
        "nodes_used": len(np.unique(first)),
    }


def two_nearest(X: FloatArray, weights: FloatArray) -> IntArray:
    centre, kernel, bias = nearest_node(weights)
    parts = np.array_split(X, max(1, len(X) // 4096))
    return np.concatenate([np.argsort(-((x - centre) @ kernel + bias))[:, :2] for x in parts])


def measure(sizes: Sizes, train: FloatArray, other: FloatArray) -> list[dict[str, Any]]:
    makers = contenders(sizes.n_steps)
    turns = {name: Turns(1) for name in makers}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in makers}
    for seed in range(sizes.seeds):
        for name, make in makers.items():
            say(f"som: {name}, seed {seed}")
            made: list[FloatArray] = []
            turns[name].take(lambda make=make, made=made, seed=seed: made.append(make(train, seed)))
            rows = other[: sizes.n_looked_at]
            weights = merge_close(made[0])  # ours are
            error = quantisation_error(rows, weights)
            found[name].append({"quantisation_error": error, **topology(rows, weights)})
    times = raw(turns)
    return [
        {
            "map": name,
            "seconds": turns[name].each,
            **{k: statistics.mean(one[k] for one in each) for k in each[0]},
            "by_seed": each,
            "turns": times[name],
        }
        for name, each in found.items()
    ]


def winner_times(sizes: Sizes, train: FloatArray, other: FloatArray) -> dict[str, Any]:
    som, weights = minisom_map(train, 0, "bubble", _RADIUS, sizes.n_steps)
    many, few = other[: sizes.n_winners], other[: sizes.n_one_by_one]
    turns = {
        "ours": Turns(len(many)),
        "MiniSom.quantization, 4096 rows at once": Turns(len(many)),
        "MiniSom.winner, row by row": Turns(len(few)),
    }
    calls = (
        lambda: winners(many, weights),
        lambda: [som.quantization(many[i : i + 4096]) for i in range(0, len(many), 4096)],
        lambda: [som.winner(row) for row in few],
    )
    for _ in range(sizes.seeds):
        for each, call in zip(turns.values(), calls, strict=True):
            each.take(call)
    seconds = {name: each.each * sizes.n_winners for name, each in turns.items()}
    return {"rows": sizes.n_winners, "seconds": seconds, "turns": raw(turns)}


def halves() -> tuple[FloatArray, FloatArray]:
    X = load_kdd99().X
    order = np.random.default_rng(0).permutation(len(X))
    train, other = np.array_split(order, 2)
    scaler = StandardScaler().fit(X[train].astype(np.float64))
    return tuple(scaler.transform(X[part]).astype(np.float32) for part in (train, other))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.som", description="Compare ways to make self-organising maps."
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "som.json")
    options = parser.parse_args(arguments)
    import_minisom()  # before the minutes of the others
    sizes = QUICK if options.quick else Sizes()
    load = load_average()
    train, other = halves()
    result = {
        "quick": options.quick,
        "date": datetime.date.today().isoformat(),
        "environment": describe(),
        "minisom": metadata.version("minisom"),
        "sizes": sizes._asdict(),
        "side": _SIDE,
        "maps": measure(sizes, train, other),
        "winners": winner_times(sizes, train, other),
        "load_average": {"before": load, "after": load_average()},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for one in result["maps"]:
        print(
            f"{one['map']}: {one['seconds']:.2f} s, quantisation error "
            f"{one['quantisation_error']:.3f}, topographic error {one['topographic_error']:.3f}, "
            f"correlation {one['correlation']:.3f}, {one['nodes_used']:.0f} nodes used"
        )
    for name, seconds in result["winners"]["seconds"].items():
        print(f"winners of {sizes.n_winners:,} rows, {name}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
