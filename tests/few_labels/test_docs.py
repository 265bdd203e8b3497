"""The page on few labels runs as written and prints what it says."""

import contextlib
import io
import re
import textwrap
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "few_labels.rst"
BLOCK = re.compile(r"^\.\. code-block:: (python|text)\n\n((?:(?:   .*)?\n)+)", flags=re.MULTILINE)

# Keras copies a net through the bytes of a saved one, and NumPy warns of how it reads the weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


def test_the_page_runs_as_written():
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    code, said = (
        "".join(textwrap.dedent(body) for kind, body in blocks if kind == wanted)
        for wanted in ("python", "text")
    )
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, PAGE.name, "exec"), {"__name__": "page"})
    assert said
    assert printed.getvalue().split() == said.split()
