"""The site of the documents: `sphinx-build -W -E -a --keep-going docs outputs/site` builds it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent)]  # `listings`; what it reads is that of this working tree

from listings import LISTINGS  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

from study.version import __version__  # noqa: E402

project = "Pixel-embedding study"
author = "The pixel-embedding-study authors"
copyright = author
version = release = __version__

extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
exclude_patterns = ["listings", "study/remarks.md", "**/.ipynb_checkpoints"]  # remarks are a part of a page
nitpicky = True  # a link to what is nowhere is an error

# pages
myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the tests run the tutorial
highlight_language = "none"

# reference
default_role = "py:obj"  # `name` in a docstring is a link where there is a page of it
autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 80
numpydoc_show_class_members = False
# single backticks stand around words, settings and names of other packages, too
nitpick_ignore_regex = [("py:.*", ".*")]

# appearance
html_theme = "furo"
html_title = project
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_theme_options = {"top_of_page_buttons": []}
html_copy_source = False
html_show_sphinx = False

_LISTING = re.compile(r"<!-- listing: (.+?) -->")


def fill_listings(_: Sphinx, __: str, source: list[str]) -> None:
    """Put the text of a listing where a page asks for it."""

    def text_of(asked: re.Match[str]) -> str:
        name, *arguments = asked[1].split()
        return LISTINGS[name](*arguments)

    source[0] = _LISTING.sub(text_of, source[0])


def take_signs_as_such(_: Sphinx, __: str, ___: str, ____: object, _____: object, lines: list[str]) -> None:
    """In docstrings `*S` is a shape and `|x|` a size, where reStructuredText would see emphasis and a substitution."""
    lines[:] = [re.sub(r"\*(?=S\b)|\|", r"\\\g<0>", line) for line in lines]


def name_no_factories(
    _: Sphinx, __: str, ___: str, ____: object, _____: object, signature: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    """Write three dots for a default that is made anew for each object, whose name Python could not read."""
    return (signature.replace("<factory>", "..."), returned) if signature else None


def skip_fields_of_tuples(_: Sphinx, __: str, ___: str, member: object, ____: bool, _____: object) -> bool | None:
    """Leave out what says of a field of a named tuple that it is its alias: the docstring of the class tells of it."""
    return True if type(member).__name__ == "_tuplegetter" else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", fill_listings)
    app.connect("autodoc-process-docstring", take_signs_as_such, priority=400)  # before numpydoc
    app.connect("autodoc-skip-member", skip_fields_of_tuples)
    app.connect("autodoc-process-signature", name_no_factories)
