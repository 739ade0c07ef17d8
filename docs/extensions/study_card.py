"""The directive ``study-card``: the card of a study, made from the study itself, each part linked to its source.

Links go to viewcode's pages of source, which exist for every module of the reference; a build in which one is missing
warns, and so fails.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from cloudchamber.card import Part, card, study_file
from cloudchamber.study import load_study, study_names

log = logging.getLogger(__name__)


def source_page(module: str) -> str:
    """The name of viewcode's page of a module's source."""
    return f"_modules/{module.replace('.', '/')}"


def source_link(module: str, text: str) -> nodes.reference:
    """A link to the source of a module; its address is filled in when the page is written."""
    link = nodes.reference("", "", nodes.literal("", text), internal=True, refuri="")
    link["source_of"] = module
    return link


def path_of(module: str) -> str:
    """``cloudchamber.data.own`` to ``data/own.py``."""
    return module.removeprefix("cloudchamber.").replace(".", "/") + ".py"


class StudyCard(SphinxDirective):
    """``study-card``: argument, the name of a study."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        study = load_study(name)
        self.env.note_dependency(str(study_file(name)))
        module = study_names()[name]
        about = nodes.field_list()
        about += field("Question", nodes.paragraph("", study.question))
        about += field("Reference", self.parsed(study.reference))
        if study.citation:
            about += field("Cite", nodes.paragraph("", study.citation))
        about += field("File", nodes.paragraph("", "", source_link(module, path_of(module))))
        return [about, *(node for part in card(study) for node in self.part(part))]

    def part(self, part: Part) -> list[nodes.Node]:
        """A heading, and a list of its entries; settings, which are many, in a table."""
        heading = nodes.rubric("", part.heading + part.remark)
        if not part.entries:
            return [heading, nodes.paragraph("", "none")]
        entries = nodes.bullet_list(classes=["study-card"])
        for entry in part.entries:
            name, colon, rest = entry.text.partition(": ")
            line = nodes.paragraph("", "", nodes.strong("", name), nodes.Text(colon + rest))
            if entry.module:
                line += [nodes.Text(" "), source_link(entry.module, path_of(entry.module))]
            entries += nodes.list_item("", line)
        return [heading, entries]

    def parsed(self, reference: str) -> nodes.paragraph:
        """arXiv numbers and DOIs as links."""
        line = nodes.paragraph()
        for number, word in enumerate(reference.split(", ")):
            kind, _, found = word.partition(":")
            address = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}.get(kind)
            line += nodes.Text(", " if number else "")
            line += nodes.reference("", word, refuri=address + found) if address else nodes.Text(word)
        return line


def field(name: str, body: nodes.Node) -> nodes.field:
    """A line of a field list."""
    return nodes.field("", nodes.field_name("", name), nodes.field_body("", body))


def fill_links(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give every link to a source its address, as seen from the page."""
    for link in doctree.findall(nodes.reference):
        if "source_of" in link:
            importlib.import_module(link["source_of"])
            link["refuri"] = app.builder.get_relative_uri(docname, source_page(link["source_of"]))
            linked(app).add(link["source_of"])


def linked(app: Sphinx) -> set[str]:
    """The modules whose sources this build links to."""
    return app.__dict__.setdefault("sources_linked", set())


def check_links(app: Sphinx, error: Exception | None) -> None:
    """Warn of a source that has no page."""
    if error is None and app.builder.format == "html":
        for module in sorted(linked(app)):
            if not (Path(app.outdir) / f"{source_page(module)}.html").exists():
                log.warning("the card of a study links to the source of %s, which has no page", module)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("study-card", StudyCard)
    app.connect("doctree-resolved", fill_links)
    app.connect("build-finished", check_links)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
