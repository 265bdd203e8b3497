"""What each part of the recipe of `auto` is worth: one thing changed at a time.

    python -m benchmarks.recipe

Runs on the development tasks of `benchmarks.tasks`, writes benchmarks/results/recipe.json after
every task, and goes on where it was stopped. Needs the data folder (AEGMM_DATA_HOME) unless with
`--offline`, which leaves out all tasks that are cut from data the package does not embed. Nets are
trained once for all densities that are tried on them. `python -m benchmarks.recipe_table` makes the
table.
"""

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from aegmm_detect.configs.density import DensityConfig
from aegmm_detect.evaluation import BASELINES
from aegmm_detect.evaluation.environment import describe
from aegmm_detect.inputs import as_rows
from aegmm_detect.numerics.features import eucl_cosim_features
from aegmm_detect.od import OutlierAEGMM
from aegmm_detect.od.state import state_of
from aegmm_detect.training.prepare import prepare
from benchmarks import tasks
from benchmarks.protocol import ROOT, say

OUT = ROOT / "benchmarks" / "results" / "recipe.json"
RECIPE = "the recipe"


@dataclasses.dataclass(frozen=True)
class Training:
    """Another way to train: changes of the blueprint, of `fit_config`, and arguments of `fit`."""

    blueprint: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fit: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    normalize: str = "robust"


TRAININGS = {
    RECIPE: Training(),
    "nets not trained": Training(fit={"optimizer": keras.optimizers.SGD(0.0), "epochs": 1}),
    "plain autoencoder: no energy, no penalty": Training(
        config={"w_energy": 0.0, "w_cov_diag": 0.0}
    ),
    "an autoencoder alone for the first half": Training(config={"autoencoder_share": 0.5}),
    "mean squared error, penalty .005": Training(
        config={"recon_reduction": "mean", "w_cov_diag": 0.005}
    ),
    "cosine and relative distance": Training(blueprint={"recon_features": eucl_cosim_features}),
    "standardised inputs": Training(normalize="standard"),
    "500 steps": Training(config={"n_steps": 500}),
    "1,000 steps": Training(config={"n_steps": 1000}),
    "64 passes": Training(config={"max_passes": 64}),
    "one net": Training(blueprint={"members": None}),
}
# On the nets of the recipe.
DENSITIES: dict[str, dict[str, Any]] = {
    "density nets' own mixtures": {
        "n_components": None,
        "parts": ("full",),
        "principal_components": 0,
    },
    "full covariances only": {"parts": ("full",)},
    "full and diagonal": {"parts": ("full", "diagonal")},
    "full and single": {"parts": ("full", "single")},
    "single only": {"parts": ("single",)},
    "no principal components": {"principal_components": 0},
    "40 principal components": {"principal_components": 40},
    "no limit": {"limit": None},
    "4 components": {"n_components": 4},
    "1 component": {"n_components": 1},
    "jitter 1e-2": {"reg": 1e-2},
    "10 % of rows trimmed": {"trim": 0.1},
}


def settings() -> dict[str, Any]:
    """All that makes the recipe: results of another one are not to be mixed with it."""
    usual = detector(1000, 0, TRAININGS[RECIPE])
    assert usual.blueprint is not None
    return {
        "fit_config": usual.fit_config.model_dump(mode="json"),
        "sizes": usual.blueprint.sizes.model_dump(mode="json"),
        "members": usual.blueprint.members,
        "detector": usual.config.model_dump(mode="json"),
    }


def detector(n_features: int, seed: int, how: Training) -> OutlierAEGMM:
    """`auto` with changes."""
    usual = OutlierAEGMM.auto(n_features, threshold=0.0)
    assert usual.blueprint is not None
    blueprint = usual.blueprint.replace(**how.blueprint)
    config = usual.fit_config.replace(**how.config)
    return OutlierAEGMM.from_blueprint(
        blueprint, config, threshold=0.0, normalize=how.normalize, seed=seed
    )


def scores(task: tasks.Task, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Scores of the test rows by everything that is compared."""
    n_features = task.train.shape[1]
    for name, factory in BASELINES.items():
        if name != "untrained":  # among the trainings
            model = factory(n_features, seed)
            model.fit(task.train)
            yield name, model.score(task.test)
    for name, how in TRAININGS.items():
        trained = detector(n_features, seed, how)
        trained.fit(task.train, verbose=0, **how.fit)
        yield name, trained.score(task.test)
        if name == RECIPE:
            for other, changes in DENSITIES.items():
                config = trained.fit_config.density.replace(**changes)
                yield other, with_density(trained, config, task, seed)
        keras.backend.clear_session()


def with_density(
    trained: OutlierAEGMM, config: DensityConfig, task: tasks.Task, seed: int
) -> np.ndarray:
    """Scores of trained nets under another density."""
    assert trained.blueprint is not None
    rows = prepare(as_rows(task.train), None, trained.config.normalize, "raise", 0.0, None)
    state = state_of(trained.net, rows, config, trained.blueprint.members, seed)
    return state.scorer(trained.net)(task.test)


def one(number: int, seed: int) -> dict[str, Any]:
    """All results on one task."""
    task, start = tasks.task(number), time.perf_counter()
    found = {
        name: {
            "auroc": float(roc_auc_score(task.y, score)),
            "ap": float(average_precision_score(task.y, score)),
        }
        for name, score in scores(task, seed)
    }
    return {
        "task": task.name,
        "seed": seed,
        "train": list(task.train.shape),
        "test": len(task.test),
        "anomalies": int(task.y.sum()),
        "seconds": round(time.perf_counter() - start, 1),
        "results": found,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--tasks", type=int, nargs="+", default=list(range(tasks.N_TASKS)))
    which.add_argument("--offline", action="store_true", help="only what needs no data folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    numbers = list(tasks.OFFLINE) if options.offline else options.tasks
    if "AEGMM_DATA_HOME" not in os.environ and not set(numbers) <= set(tasks.OFFLINE):
        parser.error("set AEGMM_DATA_HOME to the folder of the data sets, or pass --offline.")
    recipe = settings()
    result: dict[str, Any] = {"environment": describe(), "recipe": recipe, "runs": []}
    if options.out.exists():
        result = json.loads(options.out.read_text(encoding="utf-8"))
        if result["recipe"] != recipe:
            parser.error(f"{options.out} is of another recipe: move it away.")
    names = {*TRAININGS, *DENSITIES, *BASELINES} - {"untrained"}
    # A task is run anew when something has been added to what is compared.
    result["runs"] = [run for run in result["runs"] if run["results"].keys() >= names]
    done = {(run["number"], run["seed"]) for run in result["runs"]}
    for number in numbers:
        if (number, options.seed) in done:
            continue
        run = {"number": number, **one(number, options.seed)}
        result["runs"].append(run)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        found = run["results"][RECIPE]
        say(f"[{number}] {run['task']}: {found['auroc']:.3f} / {found['ap']:.3f}")


if __name__ == "__main__":
    main()
