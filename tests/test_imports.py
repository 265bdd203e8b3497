"""The architecture, as far as imports can show it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import aegmm_detect

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "aegmm_detect"

BASE = {
    "argument_checks",
    "backend",
    "exceptions",
    "types",
    "configs",
    "conversion",
    "decision",
    "extras",
    "files",
    "folders",
    "input_checks",
    "inputs",
    "listing",
    "prediction",
    "row_sketch",
    "scoring_loop",
    "sealed_json",
    "sizes",
    "untrusted",
    "user_warnings",
    "value_kinds",
    "version",
    "_lazy",
}
# Each part may import its own modules and those of the parts before it.
LAYERS = (
    BASE,
    {"processes"},
    {"numerics"},
    {"programs"},
    {"calibration"},
    {"drift"},
    {"serialization"},
    {"nets"},
    {"training"},
    {"explanation"},
    {"export"},
    {"detector"},
    {"od"},
    {"per_class"},
    {"few_labels"},
    {"zoo"},
    {"registry"},
    {"saving"},
    {"evaluation"},
)
_OD = LAYERS.index({"od"})
UP_TO_OD = set().union(*LAYERS[: _OD + 1])
# Parts beside the order, and what they may import.
BESIDE = {
    "datasets": BASE,
    "migrate": UP_TO_OD,
    "models": UP_TO_OD - {"od"},
    "plot": BASE,
    "sklearn": UP_TO_OD,
    "scoring": BASE,
}
# Parts of the order that may import one beside it.
ALSO = {"evaluation": {"datasets"}, "export": {"scoring"}}
# Packages whose `__init__` offers names of parts after them, lazily.
OFFERS = {"od/__init__.py": {"per_class"}}


def part_of(module):
    """`aegmm_detect.od.base` -> `od`; None for the root package and for other packages."""
    root, _, rest = module.partition(".")
    return rest.split(".")[0] or None if root == "aegmm_detect" else None


def allowed(part):
    if part in BESIDE:
        return BESIDE[part] | {part}
    for level, layer in enumerate(LAYERS):
        if part in layer:
            return set().union(*LAYERS[: level + 1], ALSO.get(part, set()))
    return None


def imported_parts(source):
    """Every part that `source` imports, inside functions, too, with the line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports here are absolute"
            # `from aegmm_detect import od` imports the part `od`, too.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if part := part_of(name):
                yield part, node.lineno


def violations(part, source):
    may = allowed(part)
    return sorted({(line, found) for found, line in imported_parts(source) if found not in may})


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert allowed(part) is not None, f"give {part} a place in LAYERS or BESIDE"
    offered = OFFERS.get(path.relative_to(PACKAGE).as_posix(), set())
    found = violations(part, path.read_text(encoding="utf-8"))
    assert [(line, name) for line, name in found if name not in offered] == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "numerics").glob("*.py")), ids=lambda p: p.name)
def test_mathematics_reads_no_settings(path):
    parts = {part for part, _ in imported_parts(path.read_text(encoding="utf-8"))}
    assert "configs" not in parts


@pytest.mark.parametrize(
    ("part", "source", "found"),
    [
        ("numerics", "from aegmm_detect.od.base import Detector", "od"),
        ("training", "def f():\n    import aegmm_detect.od", "od"),
        ("nets", "from aegmm_detect import training", "training"),
        ("datasets", "from aegmm_detect.numerics import gmm", "numerics"),
    ],
)
def test_the_order_test_sees_a_wrong_import(part, source, found):
    assert [name for _, name in violations(part, source)] == [found]


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()


WITHOUT_TENSORFLOW = [
    "import aegmm_detect, aegmm_detect.datasets, aegmm_detect.configs, aegmm_detect.od",
    "import aegmm_detect; dir(aegmm_detect); aegmm_detect.__version__",
    "import aegmm_detect.exceptions, aegmm_detect.types, aegmm_detect.inputs",
    "from aegmm_detect.configs import aegmm, base, nets",
    "import aegmm_detect.few_labels, aegmm_detect.zoo",
    "from aegmm_detect.few_labels import settings",
    "from aegmm_detect.scoring import Scorer",
    "from aegmm_detect.saving import archive, directory, manifest",
    "import aegmm_detect.migrate; dir(aegmm_detect.migrate)",
    "from aegmm_detect.datasets import load_thyroid; load_thyroid()",
    "from aegmm_detect.plot import CurvesDisplay, LatentDisplay, ScoreDisplay",
    "from aegmm_detect.evaluation import BASELINES, auto, run; BASELINES['1-nn'](6, 0)",
]


@pytest.fixture(scope="module")
def heavy_modules():
    """What each line imports of TensorFlow and Keras beyond the lines before it, in one process."""
    lines = ["import sys", "seen = set()"]
    for code in WITHOUT_TENSORFLOW:
        show = "heavy = {'tensorflow', 'keras'} & set(sys.modules) - seen"
        lines += [code, show, "print('+'.join(sorted(heavy)) or 'none')", "seen |= heavy"]
    return dict(zip(WITHOUT_TENSORFLOW, run_python("\n".join(lines)), strict=True))


@pytest.mark.parametrize("code", WITHOUT_TENSORFLOW)
def test_tensorflow_is_not_imported_before_it_is_needed(code, heavy_modules):
    assert heavy_modules[code] == "none"


@pytest.mark.parametrize(
    "module",
    [
        "aegmm_detect",
        "aegmm_detect.od",
        "aegmm_detect.few_labels",
        "aegmm_detect.datasets",
        "aegmm_detect.evaluation",
        "aegmm_detect.saving",
        "aegmm_detect.migrate",
        "aegmm_detect.plot",
        "aegmm_detect.scoring",
    ],
)
def test_every_public_name_resolves_and_is_listed(module):
    package = __import__(module, fromlist=["*"])
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'aegmm_detect' has no attribute 'Nothing'"):
        _ = aegmm_detect.Nothing


def tracked_texts():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing is tracked")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout
    for path in (ROOT / name for name in listed.split("\0") if name):
        if path.is_file():
            content = path.read_bytes()
            if b"\0" not in content:
                yield path, content.decode("utf-8")


def test_no_file_names_a_path_outside_the_repository():
    # Put together from pieces, so as not to find itself.
    outside = re.compile(r"\.\./" + "shared" + r"|(?<![\w.$}])/" + r"(?:work|home|root)/")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if outside.search(line)
    ]
    assert found == []
