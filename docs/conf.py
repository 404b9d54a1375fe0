"""The site of the documents: ``make docs`` builds it into site/, and any warning fails the build.

Pages are Markdown in docs/; README.md, CONTRIBUTING.md and CHANGELOG.md are included from where they are. The reference
of the API is made of the docstrings. Nothing is fetched, neither by the build nor by a reader's browser.
"""

from __future__ import annotations

from typing import Any

import tq
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from tq.common.domain.directives import Directive

project = "tq"
version = release = tq.__version__
language = "en"
highlight_language = "text"  # of a block that says none
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
]

# pages

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 4  # links to #headings, spelled as where the repository is read
copybutton_prompt_text = "$ "  # of a console session only the commands are copied
copybutton_line_continuation_character = "\\"
copybutton_here_doc_delimiter = "EOF"

# the reference of the API

autodoc_member_order = "bysource"
autodoc_typehints = "description"  # the type of an argument stands beside what it means
autodoc_typehints_description_target = "documented"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # the fields of a record are a list
napoleon_attr_annotations = True

# A name that leads nowhere is a warning, but for type variables and for classes that a program gets and never writes.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(.*[.~])?_?[A-Z]"),
    ("py:class", r"tq\.(client|common)\..*"),
    ("py:class", "Batch|Eta|LimitChanges|Local|Lock|Options|Position|RLock|Submitter|TenantChanges|Workers"),
]

# docs/python.inv lists the names of Python's documentation that docstrings link to, so that no build fetches the whole
# list. To add a name, write a line into docs/python.txt and run: sphobjinv convert zlib -o docs/python.txt docs/python.inv
intersphinx_mapping = {"python": ("https://docs.python.org/3", "python.inv")}

# how it looks

html_theme = "furo"
html_title = "tq"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"

MADE_BY_TQ = {"Attempt", "Blob", "Context", "Handle", "Handles", "Progress", "State", "Task"}


def without_constructor(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str, str] | None:
    """A class whose objects come from tq shows no arguments: programs do not call it. Nor errors, but for directives."""
    is_made = name.removeprefix("tq.") in MADE_BY_TQ
    is_error = what == "exception" and not issubclass(thing, Directive)
    return ("", "") if signature and (is_made or is_error) else None


def without_overloads(module: str) -> None:
    """One signature says more to a reader than the five that a type checker needs."""
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.analyze()
    analyzer.overloads.clear()


def setup(app: Sphinx) -> None:
    without_overloads("tq.client.app")
    app.connect("autodoc-process-signature", without_constructor)
