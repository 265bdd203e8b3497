"""Sphinx configuration: numpydoc for the API, sphinx-gallery for the examples."""

from pathlib import Path

from sphinx.application import Sphinx

from aegmm_detect import __version__

DOCS = Path(__file__).parent

project = "aegmm_detect"
author = "aegmm_detect contributors"
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "generated"]  # `generated` is included from other pages
templates_path = ["_templates"]
default_role = "code"  # `name` in a docstring is code, not a title to cite

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's sections say what fits
numpydoc_show_class_members = False  # autodoc lists them

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "",  # all of them are run
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
}

html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
# Pages that are no part of a section have nothing to show there.
html_sidebars = {page.stem: [] for page in DOCS.glob("*.rst") if page.stem != "api"}

# Page -> the marks in it and the tables of results that take their places.
TABLES = {
    "benchmarks": ((".. benchmark-table", DOCS / "generated" / "benchmarks.rst"),),
    "few_labels": ((".. few-labels-table", DOCS / "generated" / "few_labels.rst"),),
    "quality": (
        (".. quality-table", DOCS / "generated" / "quality.rst"),
        (".. recipe-table", DOCS / "generated" / "recipe.rst"),
    ),
    "variants": ((".. family-table", DOCS / "generated" / "family.rst"),),
}


def insert_tables(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the results of the last runs, where there are any, into their pages."""
    for mark, file in TABLES.get(docname, ()):
        table = "No run is stored in this tree."
        if file.exists():
            app.env.note_dependency(str(file))
            table = file.read_text(encoding="utf-8")
        source[0] = source[0].replace(mark, table)


def skip_field_aliases(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Leave out "Alias for field number 0" of named tuples: the signature has the names."""
    return True if str(obj.__doc__).startswith("Alias for field number") else None


def setup(app: Sphinx) -> None:
    app.connect("source-read", insert_tables)
    app.connect("autodoc-skip-member", skip_field_aliases)
