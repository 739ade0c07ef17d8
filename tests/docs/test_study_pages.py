"""Every study has a page with its card, and the source of every part on the card is in the reference."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from cloudchamber.card import card
from cloudchamber.study import load_study, study_names

DOCS = Path(__file__).parents[2] / "docs"


def extension(name: str):
    """One of the extensions of the documentation, which import Sphinx."""
    pytest.importorskip("sphinx")
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / "extensions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=sorted(study_names()))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_study_has_a_page_that_shows_its_card(name: str) -> None:
    page = (DOCS / "studies" / f"{name}.md").read_text()
    assert f"```{{study-card}} {name}\n```" in page
    assert page.startswith(f"# `{name}`")
    assert re.search(rf"^{name}$", (DOCS / "studies" / "index.md").read_text(), re.MULTILINE)


def test_every_source_on_a_card_is_in_the_reference(name: str) -> None:
    rooms = extension("reference_pages").rooms()
    documented = {module for modules in rooms.values() for module in modules}
    linked = {entry.module for part in card(load_study(name)) for entry in part.entries if entry.module}
    assert study_names()[name] in documented
    assert linked
    assert linked <= documented
    assert all(importlib.util.find_spec(module) is not None for module in linked)


def test_the_reference_has_every_room_in_its_contents() -> None:
    contents = re.findall(r"^generated/(\S+)$", (DOCS / "reference" / "index.md").read_text(), re.MULTILINE)
    assert sorted(contents) == sorted(extension("reference_pages").rooms())


def test_files_that_pages_of_studies_name_exist(name: str) -> None:
    page = (DOCS / "studies" / f"{name}.md").read_text()
    house = DOCS.parent / "src" / "cloudchamber"
    named = [one for one in re.findall(r"`([a-z_]+/[\w*/]*(?:\.py)?|\w+\.py)`", page) if one.endswith((".py", "/"))]
    for one in named:
        home = DOCS.parent if one.startswith(("benchmarks/", "examples/", "results/")) else house
        assert list(home.glob(one)), one


def test_a_link_of_contributing_to_a_source_leads_to_the_reference() -> None:
    here = extension("contributing").here
    assert here("[`study.py`](src/cloudchamber/study.py)") == "{py:mod}`study.py <cloudchamber.study>`"
    assert here("[a](docs/design.md), [b](README.md), [c](https://d.org)") == "[a](../design.md), b, [c](https://d.org)"
    assert here("# Title\n```\n# code\n```\n") == "## Title\n```\n# code\n```\n"
