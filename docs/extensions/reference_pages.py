"""A page of reference for every room, with all its public modules; made before each build in ``reference/generated/``.

One page a room and not one a module: the tree beside every page stays short, and so does the build.
"""

from __future__ import annotations

import ast
import pkgutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

import cloudchamber

ROAD = "cloudchamber"
"""The room of the modules that are in none."""
STUDIES = "cloudchamber.studies"


def public_modules() -> list[str]:
    """Every module and room of the package that has no leading underscore in its name."""
    found = pkgutil.walk_packages(cloudchamber.__path__, "cloudchamber.")
    return sorted(one.name for one in found if not any(part.startswith("_") for part in one.name.split(".")))


def rooms() -> dict[str, list[str]]:
    """The modules of each room, by the room's name; rooms of rooms have only those that are directly in them."""
    modules = public_modules()
    found: dict[str, list[str]] = {}
    for name in modules:
        if not any(other.startswith(f"{name}.") for other in modules):
            found.setdefault(name.rpartition(".")[0], []).append(name)
    return found


def page(room: str, modules: list[str]) -> str:
    """The text of a room's page."""
    title = "The road and the command line" if room == ROAD else room.removeprefix("cloudchamber.")
    parts = [title, "=" * len(title), "", f".. automodule:: {room}", ""]
    for name in modules:
        heading = name.removeprefix("cloudchamber.")
        parts += [
            heading,
            "-" * len(heading),
            "",
            f".. automodule:: {name}",
            "   :members:",
            "   :show-inheritance:",
            "",
        ]
        if room == STUDIES:
            own = name.rpartition(".")[2].replace("_", "-")
            text = f"   The study; its parts are on :doc:`its page </studies/{own}>`."
            parts += [".. py:data:: study", f"   :module: {name}", "", text, ""]
    return "\n".join(parts)


def write_pages(app: Sphinx) -> None:
    """Write what has changed, so that Sphinx reads only that again, and delete pages of rooms that are gone."""
    home = Path(app.srcdir) / "reference" / "generated"
    home.mkdir(parents=True, exist_ok=True)
    pages = {room: page(room, modules) for room, modules in rooms().items()}
    for room, text in pages.items():
        file = home / f"{room}.rst"
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
    for file in home.glob("*.rst"):
        if file.stem not in pages:
            file.unlink()


def source_of_study(app: Sphinx, name: str) -> tuple[str, dict[str, tuple[str, int, int]]] | None:
    """For viewcode: the source of a study's file, in which the study has a place as functions and classes have."""
    if not name.startswith(f"{STUDIES}."):
        return None
    analyzer = ModuleAnalyzer.for_module(name)
    tags = dict(analyzer.find_tags())
    for node in ast.parse(analyzer.code).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "study":
            tags["study"] = ("other", node.lineno, node.end_lineno or node.lineno)
    return analyzer.code, tags


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the pages before Sphinx looks for sources."""
    app.connect("builder-inited", write_pages)
    app.connect("viewcode-find-source", source_of_study)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
