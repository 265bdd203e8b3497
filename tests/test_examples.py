"""What the README promises is what the tree holds. The documentation's build runs the examples."""

import re
from pathlib import Path

import numpy as np
import pytest

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


def test_usage_in_the_readme_runs_as_written():
    rng = np.random.default_rng(0)
    X_train, X_mixed, X_new = (rng.normal(size=(n, 18)) for n in (512, 200, 10))
    names = {"X_train": X_train, "X_mixed": X_mixed, "X_new": X_new}
    code = block_after("usage").replace("epochs=50", "epochs=2, verbose=0")
    exec(compile(code, "README.md", "exec"), names)
    assert names["data"]["is_outlier"].shape == (10,)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_pages_of_the_gallery(path):
    """A title and cells, and nothing that only runs on the author's machine."""
    source = path.read_text(encoding="utf-8")
    compile(source, str(path), "exec")
    title, underline = source.splitlines()[1:3]
    assert underline == "=" * len(title)
    assert source.count("\n# %%\n") >= 3
