"""The report: one HTML page that needs nothing but itself. Figures are inline SVG, styles inline, there is no script.

Captions and texts are HTML written by our own code; everything that comes from a run directory (titles, commands) is
escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from cloudchamber.data.files import write_text
from cloudchamber.schema import BadInput


@dataclass(frozen=True)
class Figure:
    """A picture of the page.

    Attributes:
        name: file name without ending, of letters, digits, ``_`` and ``-``; unique in a page.
        svg: the ``<svg>`` element (see ``figures.picture``).
        caption: what is seen, in simple HTML.
        alt: what is seen, in a sentence of plain text, for those who cannot see it.
    """

    name: str
    svg: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Table:
    """A table of the page; all cells are plain text.

    Attributes:
        header: a title a column.
        rows: cells, one tuple a row.
        caption: what is listed, in simple HTML.
        winners: (row, column) of the best value of a column.
        ties: (row, column) of values that cannot be told from the best within their errors.
        groups: headings by the number of the row that they stand above.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    winners: frozenset[tuple[int, int]] = frozenset()
    ties: frozenset[tuple[int, int]] = frozenset()
    groups: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A part of the page: a title, paragraphs (HTML; plain text is separated by empty lines), a table, figures."""

    title: str
    text: str
    figures: tuple[Figure, ...] = ()
    table: Table | None = None


def paragraphs(text: str) -> str:
    """Blocks separated by empty lines as ``<p>``; blocks that already are HTML blocks stay as they are."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", with_links(text)) if block.strip()]
    return "\n".join(
        block if re.match(r"<(p|ul|ol|dl|div|pre|h\d)\b", block) else f"<p>{block}</p>" for block in blocks
    )


def with_links(html: str) -> str:
    """HTML without links, with links for arXiv numbers and DOIs (``doi:10...``)."""
    html = re.sub(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>', html)
    return re.sub(r"doi:(10\.\d{4,9}/[^\s;,<)]+)", r'<a href="https://doi.org/\1">doi:\1</a>', html)


FULL_WIDTH = 518.4
"""Points of a figure that fills the page (7.2 inches)."""


def share_of_width(svg: str) -> int:
    """How much of the page's width a figure takes, in per cent, so that all texts have the same size."""
    found = re.search(r'<svg[^>]*\bwidth="([\d.]+)pt"', svg)
    return 100 if found is None else min(100, round(100 * float(found[1]) / FULL_WIDTH))


def own_ids(svg: str, prefix: str) -> str:
    """The SVG with a prefix on every id that is referred to, and without other ids, so that several fit in a page."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r'\sid="([^"]+)"', lambda found: f' id="{prefix}.{found[1]}"' if found[1] in used else "", svg)
    return re.sub(r'(href="#|url\(#)([^")]+)', rf"\1{prefix}.\2", svg)


def duration(seconds: float) -> str:
    """``"52 s"``, ``"4 min 10 s"``, ``"2 h 5 min"``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object of a run directory.

    Raises:
        BadInput: no such file, or it holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path} is missing: give a run directory") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}): run the study again") from None
    if not isinstance(content, dict):
        raise BadInput(f"{path} holds no JSON object: run the study again")
    return content


def facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What identifies a run, as (name, value) of those things that run.json knows."""
    wall = record.get("wall_s")
    stages = {str(stage): float(seconds) for stage, seconds in wall.items()} if isinstance(wall, dict) else {}
    shares = ", ".join(f"{stage} {duration(seconds)}" for stage, seconds in stages.items())
    known = [
        ("Preset", record.get("preset")),
        ("Seed", record.get("seed")),
        ("Records", f"{record['n_records']:,}".replace(",", "\u202f") if "n_records" in record else None),
        ("Started", record.get("started")),
        ("Wall time", f"{duration(sum(stages.values()))} ({shares})" if stages else None),
        ("Hardware", ", ".join(str(record[key]) for key in ("hardware", "device") if key in record)),
        ("Version", f"{record.get('version', '?')}, commit {record.get('commit', 'unknown')}"),
        ("Data hash", record.get("data_hash")),
    ]
    return [(name, str(value)) for name, value in known if value not in (None, "")]


def command_of(record: Mapping[str, Any]) -> str:
    """The command that makes this run again."""
    if record.get("command"):
        return str(record["command"])
    return f"cloudchamber run {record.get('study', '')} --preset {record.get('preset')} --seed {record.get('seed')}"


def write_page(run: Path, sections: list[Section]) -> Path:
    """Write ``figures/*.svg`` and the self-contained ``report.html`` of a run directory.

    Args:
        run: the directory, with run.json.
        sections: what the page shows, in this order.

    Returns:
        The path of the page.

    Raises:
        BadInput: run.json is missing or malformed, or the directory cannot be written.
        ValueError: two figures have the same name, or a name that is no file name.
    """
    from jinja2 import Environment, StrictUndefined

    record = read_record(run / "run.json")
    named: dict[str, Figure] = {}
    for figure in (figure for section in sections for figure in section.figures):
        if figure.name in named or not re.fullmatch(r"[\w-]+", figure.name):
            raise ValueError(f"figure {figure.name!r}: names are unique and of letters, digits, _ and -")
        named[figure.name] = figure
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["paragraphs"] = paragraphs
    environment.filters["with_links"] = with_links
    source = files("cloudchamber.report").joinpath("templates/page.html.j2").read_text(encoding="utf-8")
    try:
        shown_facts = facts(record)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{run / 'run.json'} is malformed ({error}): run the study again") from None
    page = environment.from_string(source).render(
        title=record.get("title") or record.get("study") or "cloudchamber",
        study=record.get("study", ""),
        question=record.get("question", ""),
        reference=with_links(escape(str(record.get("reference", "")))),
        facts=shown_facts,
        command=command_of(record),
        sections=sections,
        numbers={name: number for number, name in enumerate(named, start=1)},
        drawings={name: own_ids(figure.svg, name) for name, figure in named.items()},
        shares={name: share_of_width(figure.svg) for name, figure in named.items()},
    )
    try:
        (run / "figures").mkdir(exist_ok=True)
        for name, figure in named.items():
            write_text(run / "figures" / f"{name}.svg", figure.svg)
        for stale in (run / "figures").glob("*.svg"):
            if stale.stem not in named:
                stale.unlink()
        write_text(run / "report.html", page)
    except OSError as error:
        raise BadInput(f"cannot write the report in {run} ({error.strerror}): make room there") from None
    return run / "report.html"
