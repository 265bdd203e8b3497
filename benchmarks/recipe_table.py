"""Write the documentation's table of the recipe's experiments.

python -m benchmarks.recipe_table > docs/generated/recipe.rst
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from aegmm_detect.evaluation import BASELINES
from aegmm_detect.evaluation.summary import spread
from benchmarks.recipe import DENSITIES, OUT, RECIPE, TRAININGS
from benchmarks.table import list_table

METRICS = {"auroc": "AUROC", "ap": "AP"}


def cells(runs: list[dict[str, Any]], name: str, metric: str) -> tuple[str, str]:
    """Mean over tasks, and the difference from the recipe with its standard error."""
    own = np.array([run["results"][name][metric] for run in runs])
    difference = spread(own - [run["results"][RECIPE][metric] for run in runs])
    if name == RECIPE:
        return f"{own.mean():.3f}", "--"
    error = "--" if difference["se"] is None else f"{difference['se']:.3f}"
    return f"{own.mean():.3f}", f"{difference['mean']:+.3f} ({error})"


def render(result: dict[str, Any]) -> str:
    """The whole text, reStructuredText."""
    runs = result["runs"]
    groups = {
        "": [RECIPE],
        "nets: ": [name for name in TRAININGS if name != RECIPE],
        "density: ": list(DENSITIES),
        "simple: ": [name for name in BASELINES if name != "untrained"],
    }
    rows = []
    for group, names in groups.items():
        for name in names:
            columns = [cell for metric in METRICS for cell in cells(runs, name, metric)]
            rows.append((group + name, *columns))
    header = ["what was changed"]
    for title in METRICS.values():
        header += [title, f"{title} minus the recipe's (s.e.)"]
    seeds = sorted({run["seed"] for run in runs})
    text = (
        f"Mean over {len({run['number'] for run in runs})} development tasks, "
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}; differences are taken "
        "task by task, and their standard errors (s.e.) are over tasks."
    )
    return f"{text}\n\n{list_table(tuple(header), rows)}\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe_table", description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=OUT)
    options = parser.parse_args(arguments)
    print(render(json.loads(options.results.read_text(encoding="utf-8"))), end="")


if __name__ == "__main__":
    main()
