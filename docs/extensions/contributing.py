"""CONTRIBUTING.md as a part of the page on writing a study: one text, on GitHub and here."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

PAGE = "how-to/own-study"
TEXT = Path(__file__).parents[2] / "CONTRIBUTING.md"


def here(text: str) -> str:
    """The text with headings one lower, and with links as they are from ``PAGE``: to the reference, or to pages."""
    text = re.sub(r"^#", "##", outside_code(text), flags=re.MULTILINE)
    text = re.sub(
        r"\[([^\]]+)\]\(src/(cloudchamber/[\w/]+)\.py\)",
        lambda found: f"{{py:mod}}`{found[1].strip('`')} <{found[2].replace('/', '.')}>`",
        text,
    )
    text = re.sub(r"\]\(docs/", "](../", text)
    return re.sub(r"\[([^\]]+)\]\((?!https?:|\.\./|#)[^)]+\)", r"\1", text).replace(MARK, "#")


MARK = "\0"
"""Stands for # in code while headings are lowered."""


def outside_code(text: str) -> str:
    """The text with marks instead of # in blocks of code."""
    return re.sub(r"^```.*?^```", lambda found: found[0].replace("#", MARK), text, flags=re.MULTILINE | re.DOTALL)


def add_text(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put the text behind the page's own."""
    if docname == PAGE:
        app.env.note_dependency(str(TEXT))
        content[0] += "\n" + here(TEXT.read_text(encoding="utf-8"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("source-read", add_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
