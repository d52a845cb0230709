"""The documentation site: `make docs`. Its pages are the Markdown files of the repository, which GitHub shows as well.

The source folder is the repository, so that every link between its files holds in both places.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

from pygments.lexer import RegexLexer
from pygments.token import Comment, Keyword, Text
from sphinx.application import Sphinx

import pwmlff

project = "pwmlff"
release = pwmlff.__version__
copyright = "the authors of pwmlff, MIT licence"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]

root_doc = "pwmlff/docs/index"
include_patterns = ["pwmlff/docs/*.md", "examples/*/README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
exclude_patterns = [".*", "build", "dist", "tests", "lammps_plugin", "pwmlff/csrc", "examples/*/work", "**/__pycache__"]
nitpicky = True
# numpy, torch and ASE have sites of their own; these are looked up nowhere, so that a build needs no network
nitpick_ignore_regex = [("py:.*", r"(?!pwmlff).*"), ("py:.*", r"pwmlff\.(?!testing).*")]

myst_heading_anchors = 4  # as on GitHub

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # attributes as one list
napoleon_attr_annotations = False  # their types stand in the signature
default_role = "code"  # what docstrings put between single backticks

html_theme = "furo"
html_title = f"pwmlff {release}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["wide.css"]
html_extra_path = ["front"]  # the address of the site itself leads to its first page
html_theme_options = {"top_of_page_buttons": []}
copybutton_selector = "div.highlight-sh pre, div.highlight-python pre, div.highlight-lammps pre, div.highlight-json pre"


class LammpsLexer(RegexLexer):
    """Inputs of LAMMPS: comments and commands."""

    name = "LAMMPS"
    tokens = {"root": [(r"#.*", Comment), (r"^\w+", Keyword), (r"[^#\n]+|\n", Text)]}


def public_names(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the documentation of `pwmlff.__all__`, whatever it is, where the page on the API wants it."""
    if not docname.endswith("/api"):
        return
    directives = []
    for name in pwmlff.__all__:
        if not name.startswith("__"):
            thing = getattr(pwmlff, name)
            if isinstance(thing, ModuleType):  # a package that is called like its function
                setattr(pwmlff, name, getattr(thing, name))
            is_class = isinstance(thing, type)
            directive = (
                f".. autoclass:: pwmlff.{name}\n   :members:" if is_class else f".. autofunction:: pwmlff.{name}"
            )
            directives.append(f"```{{eval-rst}}\n{directive}\n```\n")
    source[0] = source[0].replace("<!-- pwmlff.__all__ -->", "\n".join(directives))


def plain_text(app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Turn docstrings into reStructuredText where they are none.

    What is indented behind an empty line is a formula or an example and stays as it is. Code may be followed by
    letters, as in `Frame`s.
    """
    inside = False
    result: list[str] = []
    for line in lines:
        is_indented = bool(re.match(r" {4}", line))
        if is_indented and not inside and result and not result[-1].strip() and not _is_field(result):
            result += [".. code-block:: text", ""]
        inside = is_indented or (inside and not line.strip())
        result.append(line if inside else re.sub(r"(`[^`]+`)(\w?)", _separated, line))
    lines[:] = result


def _separated(match: re.Match[str]) -> str:
    return f"{match[1]}\\ {match[2]}" if match[2] else match[1]


def _is_field(lines: list[str]) -> bool:
    """Whether the last paragraph is one of napoleon's fields or directives, whose body is indented."""
    last = next((line for line in reversed(lines) if line.strip()), "")
    return last.lstrip().startswith((":", ".. ")) or last.startswith(" ")


def setup(app: Sphinx) -> None:
    """Add the above to Sphinx."""
    app.add_lexer("lammps", LammpsLexer)
    app.connect("source-read", public_names)
    app.connect("autodoc-process-docstring", plain_text, priority=900)
