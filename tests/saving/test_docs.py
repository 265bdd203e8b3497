"""The page on saving runs as it is written."""

import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "saving.rst"


def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", PAGE.read_text("utf-8"))
    assert len(blocks) == 3
    monkeypatch.chdir(tmp_path)
    exec(textwrap.dedent("".join(blocks)), {"__name__": "page"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["detector.aegmm", "own_features"]
