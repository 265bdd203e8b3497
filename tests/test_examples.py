"""What the README promises is what the tree holds, and what the larger examples print is true.

The documentation's build runs all examples in full.
"""

import functools
import json
import logging
import re
import runpy
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.metrics import f1_score

from aegmm_detect.datasets import load_kdd99_sample, load_thyroid
from aegmm_detect.evaluation import BASELINES
from aegmm_detect.exceptions import MissingExtraError
from aegmm_detect.od import OutlierAEGMM

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def block_after(marker: str) -> str:
    match = re.search(rf"<!-- {marker} -->\s+```\w+\n(.*?)```", README, flags=re.DOTALL)
    assert match is not None, f"README.md has no fenced block after <!-- {marker} -->"
    return match[1]


def words(text: str) -> list[str]:
    """What a program prints, numbers and punctuation apart."""
    return re.findall(r"[A-Za-z]\w*", text)


@pytest.fixture
def run_example(monkeypatch, tmp_path):
    """Run an example as a program with arguments; its picture goes to picture.png.

    Returns its variables.
    """
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        script = str(ROOT / "examples" / name)
        monkeypatch.setattr(sys, "argv", [script, *arguments, "--out", "picture.png"])
        return runpy.run_path(script, run_name="__main__")

    logger = logging.getLogger("tensorflow")
    level = logger.level
    yield run
    logger.setLevel(level)
    plt.close("all")


@pytest.mark.parametrize("name", ["main", "test"])
def test_commands_of_the_readme_set_themselves_up(name):
    (command,) = block_after(f"{name} command").splitlines()
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
    extras = re.search(r"\[(\w+)\]", command)
    assert extras is not None
    assert re.search(rf"^{extras[1]} =$", (ROOT / "setup.cfg").read_text(), flags=re.MULTILINE)
    for script in re.findall(r"\S+\.py", command):
        assert (ROOT / script).is_file()


def test_output_in_the_readme_has_the_lines_that_the_quickstart_prints():
    """Every word in it, numbers apart, stands in the script."""
    script = (ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8")
    output = block_after("main output")
    *lines, last = output.splitlines()
    assert last == "Picture: examples/quickstart.png"
    assert {word for word in words(" ".join(lines)) if word not in script} == set()
    rows = re.findall(r'found\["(.+?)"\]|found = \{"(.+?)"', script)
    names = {"".join(row) for row in rows}
    assert len(names) == 3
    for name in names:
        assert re.search(rf"^{name} +(\d\.\d{{3}} +){{4}}\d+/\d+ +\d+$", output, re.MULTILINE)


def test_links_and_pictures_of_the_readme_exist():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    local = [target for target in targets if "://" not in target]
    assert len(local) > 5
    assert [target for target in local if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_readme_names_every_example(path):
    assert f"examples/{path.name}" in README


def test_usage_in_the_readme_runs_as_written(monkeypatch):
    """On fewer rows, for one epoch and with one net: how well it does is the benchmarks' matter."""
    thyroid = load_thyroid()
    assert thyroid.X.shape == (3772, 6)  # as the comment says
    few = thyroid.subset(np.arange(650))
    monkeypatch.setattr("aegmm_detect.datasets.load_thyroid", lambda: few)
    code, names = block_after("usage"), {}
    for full, brief in (
        ("seed=0)", "seed=0, ensemble=1)"),
        ("fit(X_train)", "fit(X_train, epochs=1, verbose=0)"),
        ("epochs=50", "epochs=1, verbose=0"),
    ):
        assert code.count(full) == 1
        code = code.replace(full, brief)
    exec(compile(code, "README.md", "exec"), names)
    assert names["data"]["is_outlier"].shape == (10,)
    assert names["own"].fitted


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_pages_of_the_gallery(path):
    """A title and cells, and nothing that only runs on the author's machine."""
    source = path.read_text(encoding="utf-8")
    compile(source, str(path), "exec")
    title, underline = source.splitlines()[1:3]
    assert underline == "=" * len(title)
    assert source.count("\n# %%\n") >= 3


def test_intrusions_are_judged_on_rows_that_nobody_trained_on(run_example, monkeypatch, capsys):
    fit, trained_on = OutlierAEGMM.fit, []

    def fit_briefly(self, X, **settings):
        trained_on.append(X)
        return fit(self, X[:640], **{**settings, "epochs": 1, "jit_compile": False})

    monkeypatch.setattr(OutlierAEGMM, "fit", fit_briefly)
    # The documentation's build trains all four nets on all rows.
    monkeypatch.setattr(OutlierAEGMM, "auto", functools.partial(OutlierAEGMM.auto, ensemble=1))
    names = run_example("kdd_intrusions.py", "--seed", "3")
    kdd = load_kdd99_sample()
    train, mixed, tests = names["train"], names["mixed"], names["tests"]
    assert (kdd.y[train] == 0).all()
    assert kdd.y[mixed].sum() == 50
    assert [kdd.y[rows].sum() for rows in tests] == [100] * 10
    parts = np.concatenate([train, mixed, *tests])
    assert len(np.unique(kdd.X[parts], axis=0)) == len(parts)
    assert len(trained_on) == 2
    for X in trained_on:
        np.testing.assert_array_equal(X, kdd.X[train])

    printed = capsys.readouterr().out
    for name, batches in names["found"].items():
        f1 = [
            f1_score(kdd.y[rows], batch["is_outlier"])
            for rows, batch in zip(tests, batches, strict=True)
        ]
        assert re.search(
            rf"^{name} .* {np.mean(f1):.3f} \+- {np.std(f1, ddof=1):.3f} ", printed, re.M
        )
        hits = sum((b["is_outlier"] * kdd.y[r]).sum() for r, b in zip(tests, batches, strict=True))
        assert re.search(rf"^{name} .*\n +attack +{1000 - hits} +{hits}$", printed, re.M)
    assert Path("picture.png").stat().st_size > 10_000


@pytest.fixture
def own_csv(tmp_path):
    """90 rows, 12 of them 'bad', with names of rows; one is there twice."""
    pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(78, 3)), rng.normal(1.5, 1.0, size=(12, 3))])
    lines = [
        ",".join([f"row {i}", *(f"{value:.3f}" for value in row), "ok" if i < 78 else "bad"])
        for i, row in enumerate(X)
    ]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["name,a,b,c,state", *lines, lines[0]]) + "\n")
    return path


def test_a_csv_of_ones_own_is_compared_and_the_best_are_named(
    run_example, own_csv, monkeypatch, capsys
):
    fit, auto = OutlierAEGMM.fit, functools.partial(OutlierAEGMM.auto, ensemble=1)

    def fit_briefly(self, X, **settings):
        return fit(self, X, **{**settings, "epochs": 2, "jit_compile": False})

    # It looks everything up when it runs, and which is best does not matter here.
    monkeypatch.setattr(OutlierAEGMM, "fit", fit_briefly)
    monkeypatch.setattr(OutlierAEGMM, "auto", auto)
    about = ["--target", "state", "--anomaly", "bad", "--drop", "name"]
    run_example("own_csv.py", str(own_csv), *about, "--runs", "2", "--results", "runs.json")
    printed = capsys.readouterr().out
    assert "mine: 91 rows of 3 numbers, 12 of them anomalies (label bad)" in printed
    assert "Protocol B, 90 rows used." in printed
    summary = json.loads(Path("runs.json").read_text())["summary"]
    assert list(summary) == ["ours", *BASELINES]
    for metric, title in [("f1", "F1"), ("auroc", "AUROC"), ("ap", "AP")]:
        means = {name: row["metrics"][metric]["mean"] for name, row in summary.items()}
        best = {name for name, mean in means.items() if mean == max(means.values())}
        told = re.search(rf"^Best {title}: (.*)\.$", printed, re.M)[1]
        assert {name for name in means if re.search(rf"(^|, ){name}(,|$)", told)} == best
    f1 = summary["iforest"]["metrics"]["f1"]
    assert re.search(
        rf"^iforest +{f1['mean']:.3f} \+- {f1['sd']:.3f} \({f1['se']:.3f}\)", printed, re.M
    )
    difference = summary["iforest"]["minus_reference"]["f1"]
    assert re.search(
        rf"^iforest +{re.escape(format(difference['mean'], '+.3f'))} \({difference['se']:.3f}\)",
        printed,
        re.M,
    )
    assert Path("picture.png").stat().st_size > 10_000


def test_a_csv_of_ones_own_without_pandas_names_the_command(run_example, own_csv, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r'pip install "aegmm_detect\[data\]"'):
        run_example("own_csv.py", str(own_csv), "--target", "state")
