"""Formulae as MathML, which browsers draw by themselves: pages need neither a network nor a script."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)


def drawn(node: nodes.math | nodes.math_block, *, block: bool) -> str:
    """The formula as MathML; one that cannot be read is a warning, and stays as it was written."""
    try:
        return str(tex2mathml(node.astext(), as_block=block))
    except MathError as error:
        log.warning("formula %r: %s", node.astext(), error, location=node)
        return node.astext()


def inline(writer: Any, node: nodes.math) -> None:
    """A formula in a line."""
    writer.body.append(f'<span class="math">{drawn(node, block=False)}</span>')
    raise nodes.SkipNode


def block(writer: Any, node: nodes.math_block) -> None:
    """A formula in a line of its own."""
    writer.body.append(f'<div class="math">{drawn(node, block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
