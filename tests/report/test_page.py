"""The page: self-contained, complete, escaped, the same bytes every time; malformed runs give one clear line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cloudchamber.report.page import (
    Figure,
    Section,
    Table,
    duration,
    own_ids,
    paragraphs,
    share_of_width,
    with_links,
    write_page,
)
from cloudchamber.schema import BadInput

SVG = '<svg width="259.2pt" xmlns="http://www.w3.org/2000/svg"><g id="a"/><use href="#a" clip-path="url(#a)"/></svg>'


class Elements(HTMLParser):
    """Every element with its attributes, and whether tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Elements:
    """The elements of a page."""
    elements = Elements()
    elements.feed(text)
    assert not elements.open
    return elements


def simple_run(path: Path, **record: object) -> Path:
    """A directory with nothing but run.json."""
    (path / "run.json").write_text(
        json.dumps({"study": "toy", "title": "A toy", "preset": "tiny", "seed": 3, **record})
    )
    return path


def test_page_needs_nothing_else(tmp_path: Path) -> None:
    sections = [Section("One", "Text.", (Figure("one", SVG, "A <i>caption</i>", "An alternative"),))]
    page = write_page(simple_run(tmp_path, reference="arXiv:1906.06429"), sections)
    text = page.read_text()
    elements = parsed(text)
    for tag, attributes in elements.found:
        assert tag not in ("script", "link", "iframe", "img")
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")) or (tag == "a" and value.startswith("https://arxiv.org/abs/"))
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert (tmp_path / "figures" / "one.svg").read_text() == SVG
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "figures", "report.html"}


def test_head_names_the_run(tmp_path: Path) -> None:
    run = simple_run(
        tmp_path, question="Why?", hardware="a processor", version="0.1.0", commit="abc", wall_s={"train": 75.0}
    )
    text = write_page(run, []).read_text()
    for words in ("A toy", "Why?", "tiny", "a processor", "0.1.0, commit abc", "1 min 15 s (train 1 min 15 s)"):
        assert words in text
    assert "cloudchamber run toy --preset tiny --seed 3" in text


def test_contents_list_every_section(tmp_path: Path) -> None:
    text = write_page(simple_run(tmp_path), [Section("First", "a"), Section("Second & last", "b")]).read_text()
    assert '<a href="#section-2">Second &amp; last</a>' in text
    assert 'id="section-2"' in text


def test_what_comes_from_a_run_is_escaped(tmp_path: Path) -> None:
    run = simple_run(
        tmp_path, title="<script>alert(1)</script>", command="cloudchamber run 'a<b'", reference="<b>x</b>"
    )
    text = write_page(run, [Section("<i>", "text", (Figure("f", SVG, "c", 'alt "quoted"'),))]).read_text()
    assert "<script>" not in text
    assert "<b>x</b>" not in text
    assert "alert(1)" in text
    assert any(attributes.get("aria-label") == 'alt "quoted"' for _, attributes in parsed(text).found)


def test_ids_are_unique_in_a_page(tmp_path: Path) -> None:
    figures = (Figure("one", SVG, "", ""), Figure("two", SVG, "", ""))
    text = write_page(simple_run(tmp_path), [Section("s", "", figures)]).read_text()
    ids = [attributes["id"] for _, attributes in parsed(text).found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert own_ids(SVG, "one").count("one.a") == 3


def test_same_name_twice_is_refused(tmp_path: Path) -> None:
    figures = (Figure("one", SVG, "", ""), Figure("one", SVG, "", ""))
    with pytest.raises(ValueError, match="unique"):
        write_page(simple_run(tmp_path), [Section("s", "", figures)])


def test_table_marks_winner_and_tie(tmp_path: Path) -> None:
    table = Table(
        ("who", "score"),
        (("a", "1.0 ± 0.1"), ("b", "2.0 ± 0.1"), ("c", "1.9 ± 0.2")),
        "A <i>caption</i>",
        frozenset({(1, 1)}),
        frozenset({(2, 1)}),
        {0: "Group"},
    )
    text = write_page(simple_run(tmp_path), [Section("s", "", (), table)]).read_text()
    assert re.search(r'<td class="winner">2\.0', text)
    assert re.search(r'<td class="tie">1\.9', text)
    assert re.search(r'<td class="plain">1\.0', text)
    assert ">Group</th>" in text
    assert "A <i>caption</i>" in text


def test_stale_figures_go_and_a_second_write_gives_the_same(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    (run / "figures").mkdir()
    (run / "figures" / "old.svg").write_text("")
    first = write_page(run, [Section("s", "", (Figure("one", SVG, "", ""),))]).read_bytes()
    assert [path.name for path in (run / "figures").iterdir()] == ["one.svg"]
    assert write_page(run, [Section("s", "", (Figure("one", SVG, "", ""),))]).read_bytes() == first


@pytest.mark.parametrize("content", ["", "[]", "{", '{"wall_s": {"train": "long"}}'])
def test_malformed_record_is_bad_input(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(BadInput) as caught:
        write_page(tmp_path, [])
    assert "\n" not in str(caught.value)
    assert "run.json" in str(caught.value)


def test_missing_record_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="missing"):
        write_page(tmp_path, [])


def test_unwritable_place_is_bad_input(tmp_path: Path) -> None:
    run = simple_run(tmp_path)
    (run / "figures").write_text("a file where a directory should be")
    with pytest.raises(BadInput, match="cannot write the report"):
        write_page(run, [])


def test_failed_write_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = simple_run(tmp_path)
    page = write_page(run, [])
    before = page.read_bytes()

    def full(self: Path, *args: object, **kwargs: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(BadInput, match=r"disk full while writing .*report\.html"):
        write_page(run, [Section("new", "")])
    assert page.read_bytes() == before


def test_paragraphs_links_durations_and_widths_are_written_right() -> None:
    assert paragraphs("a\n\n<ul><li>b</li></ul>\n\nc") == "<p>a</p>\n<ul><li>b</li></ul>\n<p>c</p>"
    assert with_links("see doi:10.1103/x.1, arXiv:nucl-th/0305084") == (
        'see <a href="https://doi.org/10.1103/x.1">doi:10.1103/x.1</a>, '
        '<a href="https://arxiv.org/abs/nucl-th/0305084">arXiv:nucl-th/0305084</a>'
    )
    assert [duration(seconds) for seconds in (3.14, 52, 250, 7500)] == ["3.1 s", "52 s", "4 min 10 s", "2 h 5 min"]
    assert share_of_width(SVG) == 50


def test_import_of_the_dataclasses_is_cheap() -> None:
    code = "import sys, cloudchamber.report.page; print({'matplotlib', 'jinja2', 'torch'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
