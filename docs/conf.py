"""Sphinx's configuration: ``sphinx-build -W -q -b html docs build/docs``, without network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"  # compiled functions are then the Python functions that autodoc can read
sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from sphinx.ext.autodoc.mock import mock

import cloudchamber

mocked = mock(["geant4_pybind", "chromo"])  # programs that run in processes of their own, and ask questions
mocked.__enter__()

project = "cloudchamber"
author = "the cloudchamber developers"
version = release = cloudchamber.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "contributing",
    "mathml",
    "reference_pages",
    "study_card",
    "tidy_docstrings",
]
exclude_patterns = ["_build"]
default_role = "literal"
highlight_language = "none"  # commands and formulae; blocks in Python say so
smartquotes = False  # --set stays --set

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the types of fields stand in the signature
python_maximum_signature_line_length = 110
python_use_unqualified_type_names = True
add_module_names = False
viewcode_follow_imported_members = False  # a module with nothing but its study has a page of source, too
toc_object_entries = False  # with them the tree beside every page takes most of the time

html_theme = "furo"
html_title = f"cloudchamber {version}"
html_static_path = ["_static"]
html_css_files = ["cloudchamber.css"]
html_show_copyright = False
html_show_sphinx = False
html_math_renderer = "mathml"
html_copy_source = False
