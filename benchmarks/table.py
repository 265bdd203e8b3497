"""Write the tables of the documentation from the JSON of a run.

python -m benchmarks.table benchmarks/results/speed.json > docs/generated/benchmarks.rst
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.protocol import OURS

Cases = list[dict[str, Any]]


def list_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (header, *rows):
        lines += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines)


def count(value: float) -> str:
    """Three significant digits, with thousands marked."""
    return f"{float(f'{value:.3g}'):,.0f}"


def times(ratio: dict[str, float]) -> str:
    """A ratio and its range by rounds."""
    return f"{ratio['value']:.3g} ({ratio['lowest']:.3g} to {ratio['highest']:.3g})"


def train(cases: Cases) -> str:
    header = (
        "features",
        "batch",
        "rows of an epoch",
        "rows/s",
        "eager loop, rows/s",
        "times the eager loop",
        "step, us",
        "matrix products, us",
        "step in their times",
    )
    return list_table(
        header,
        (
            (
                str(c["features"]),
                str(c["batch_size"]),
                f"{c['rows']:,}",
                count(c["rows_per_second"][OURS]),
                count(c["rows_per_second"]["eager"]),
                times(c["times_the_eager_loop"]),
                count(1e6 * c["step_seconds"][OURS]),
                count(1e6 * c["step_seconds"][c["faster_matmuls"]]),
                times(c["steps_in_matmul_times"]),
            )
            for c in cases
        ),
    )


def score(cases: Cases) -> str:
    header = ("features", "rows", "rows/s", "eager pass, rows/s", "times the eager pass")
    return list_table(
        header,
        (
            (
                str(c["features"]),
                f"{c['rows']:,}",
                count(c["rows_per_second"][OURS]),
                count(c["rows_per_second"]["eager"]),
                times(c["times_the_eager_pass"]),
            )
            for c in cases
        ),
    )


def latency(cases: Cases) -> str:
    return list_table(
        ("features", "call", "median, ms", "95th percentile, ms"),
        (
            (
                str(c["features"]),
                name,
                f"{1e3 * median:.3f}",
                f"{1e3 * c['p95_seconds'][name]:.3f}",
            )
            for c in cases
            for name, median in c["median_seconds"].items()
        ),
    )


def memory(cases: Cases) -> str:
    return list_table(
        ("pass", "rows", "data, MB", "growth, MB"),
        (
            (
                c["task"],
                f"{c['rows']:,}",
                f"{c['data_bytes'] / 1e6:,.0f}",
                f"{c['growth_bytes'] / 1e6:,.0f}",
            )
            for c in cases
        ),
    )


def startup(cases: Cases) -> str:
    return list_table(
        ("statement", "median, s"),
        ((f"``{c['statement']}``", f"{c['median_seconds']:.2f}") for c in cases),
    )


def first_fit(cases: Cases) -> str:
    return list_table(
        ("fit", "median, s"), ((c["fit"], f"{c['median_seconds']:.1f}") for c in cases)
    )


def reuse(cases: Cases) -> str:
    rows = []
    for c in cases:
        if "seconds" in c:
            rows += [(name, f"{1e3 * seconds:.1f} ms") for name, seconds in c["seconds"].items()]
        else:
            rows.append(
                (
                    f"growth of memory, {c['times']} {c['case'].split()[-1]}",
                    f"{c['growth_bytes'] / 1e6:,.0f} MB",
                )
            )
    return list_table(("what", "median, or growth"), rows)


# In the order of the page.
SECTIONS: dict[str, tuple[str, str, Callable[[Cases], str]]] = {
    "train": (
        "Training",
        "Nets F-60-30-10-1 with a mirrored decoder, density net 3-10-2, default features, "
        "XLA. An epoch of ``fit`` against {eager_steps} steps of the eager loop, whose rate is "
        "extrapolated, and the matrix products of {matmul_rows:,} rows, the faster of one thread "
        "and all of them. Medians of {rounds} rounds, in brackets their range; the first epoch, "
        "which compiles, is left out.",
        train,
    ),
    "score": (
        "Scoring",
        "``detector.score(X)`` with its defaults, beside one eager pass over the whole array "
        "with the same nets and mixture. Medians of {rounds} rounds, in brackets their range.",
        score,
    ),
    "latency": (
        "One row",
        "{latency_calls:,} calls each, one by one in turns (the eager pass: a tenth of them). The "
        "no-op calls are what TensorFlow takes to do nothing: the floor for any scorer that runs "
        "in it.",
        latency,
    ),
    "memory": (
        "Memory",
        "Peak above what was resident with the data (18 features, float32) in memory and the "
        "programs compiled; a fresh process for every figure. *estimate* is the pass over all "
        "training rows at the end of ``fit``. The result itself is 4 bytes a row.",
        memory,
    ),
    "first_fit": (
        "First fit of a process",
        "3,772 rows of 6 numbers, from the call of ``fit`` to its end, compiling included. "
        "``auto`` trains by its recipe, several nets; the others train for 20 epochs in batches of "
        "64, too few steps for ``'auto'`` to compile. "
        "The eager loop's time is extrapolated from its first 110 steps.",
        first_fit,
    ),
    "reuse": (
        "The second time",
        "A detector of a structure that this process has compiled before (18 features): "
        "``load_detector`` and the score of one row, beside Keras's own ``load_model`` of the same "
        "three nets; ``update`` by 500 rows and the score of one row; and loading with nothing "
        "compiled. Medians of {rounds} rounds in turn. Then what {repeated_fits} fits of ``auto`` "
        "(2,000 rows of 10 numbers), or {repeated_loads} loads with scores, leave in memory.",
        reuse,
    ),
    "startup": ("Imports", "Each in a fresh process, files in the cache.", startup),
}


def machine(result: dict[str, Any]) -> str:
    env = result["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in env["versions"].items())
    loads = [b["load_average"]["before"] for b in result["benchmarks"].values()]
    shown = ", ".join(f"{load[0]:.1f}" for load in loads if load)
    return (
        f"Machine: {env['cpu']}, {env['cores']} cores, {env['memory_gib']} GiB, {env['system']}; "
        f"{versions}. Load average before each benchmark: {shown or 'unknown'}."
    )


def render(result: dict[str, Any]) -> str:
    """The whole text, reStructuredText."""
    parts = []
    if result["quick"]:
        parts.append("**From a trial run with tiny sizes: these figures mean nothing.**")
    parts.append(machine(result))
    for name, (title, text, table) in SECTIONS.items():
        if name in result["benchmarks"]:
            cases = result["benchmarks"][name]["cases"]
            text = text.format(**result["sizes"])
            parts += [f"{title}\n{'~' * len(title)}", text, table(cases)]
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("result", type=Path)
    options = parser.parse_args(arguments)
    print(render(json.loads(options.result.read_text(encoding="utf-8"))), end="")


if __name__ == "__main__":
    main()
