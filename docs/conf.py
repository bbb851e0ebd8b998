"""The documentation site, built by `make docs`."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent / "scripts")]

from petite import __version__  # noqa: E402

project = "Petite"
author = "the developers of Petite"
release = version = __version__
html_title = "Petite"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "petite_reference",
]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_typehints = "none"  # numpydoc's sections have the types
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autosummary_generate = False

highlight_language = "none"  # commands of a shell, without a language on the page

html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
}
html_show_sourcelink = False
html_copy_source = False
# The site loads nothing from elsewhere, as the report does.
html_static_path = ["_static"]
html_css_files = ["petite.css"]
