"""The validation of a simulator in tables: every number beside its criterion, and whether it meets it.

The same words stand in the report, on the terminal and on the study's page of the documentation. What is written into
a cell is plain text; captions and texts are HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from cloudchamber.metrics.criteria import BOUNDS, passes
from cloudchamber.metrics.rows import Row
from cloudchamber.report.page import Section, Table, duration, read_record
from cloudchamber.report.words import plus_minus
from cloudchamber.schema import BadInput

HEADER = ("quantity", "subject", "value", "criterion", "verdict")
"""Of a check's table."""

VERDICTS = {True: "pass", False: "FAIL", None: ""}
"""What is said of a row that meets its criterion, does not, or has none."""


@dataclass(frozen=True)
class Validation:
    """What metrics.json says of a run that validates a simulator.

    Attributes:
        label: study, preset and seed, in a few words.
        subjects: titles by name.
        checks: titles by name, in the order of the study.
        seconds: wall time of each check, by name.
        rows: of all checks; ``sample`` is the check's name.
    """

    label: str
    subjects: Mapping[str, str]
    checks: Mapping[str, str]
    seconds: Mapping[str, float]
    rows: tuple[Row, ...]

    def of(self, check: str) -> list[Row]:
        """The rows of a check."""
        return [row for row in self.rows if row["sample"] == check]

    def row(self, check: str, subject: str, target: str, metric: str) -> Row | None:
        """A row, None if there is no such."""
        place = (subject, target, metric)
        return next((one for one in self.of(check) if (one["predictor"], one["target"], one["metric"]) == place), None)

    def subject(self, row: Row) -> str:
        """The title of what a row is of."""
        return self.subjects.get(row["predictor"], row["predictor"])


def read_validation(path: Path) -> Validation | None:
    """What the metrics.json of a run directory, or such a file itself, says; None if it is of another kind of study.

    Raises:
        BadInput: missing or malformed.
    """
    file = path / "metrics.json" if path.is_dir() else path
    content = read_record(file)
    return validation_of(content, file) if "checks" in content else None


def validation_of(content: Mapping[str, Any], file: Path) -> Validation:
    """The content of a metrics.json with checks.

    Args:
        content: of the file.
        file: its path, for the refusal.

    Raises:
        BadInput: it is malformed.
    """
    try:
        rows = []
        for row in content["rows"]:
            numbers = [row[key] for key in ("value", "error")] + [row.get(key) for key in BOUNDS]
            if not all(one is None or isinstance(one, int | float) for one in numbers):
                raise ValueError(f"value, error and bounds are {numbers}")
            words = {key: str(row[key] or "") for key in ("predictor", "sample", "target", "metric", "unit")}
            rows.append({**row, **words})
        return Validation(
            " ".join(str(content[key]) for key in ("study", "preset")) + f" s{content['seed']}",
            {name: str(one["title"]) for name, one in content["predictors"].items()},
            {name: str(one["title"]) for name, one in content["checks"].items()},
            {name: float(one["wall_s"]) for name, one in content["checks"].items()},
            tuple(rows),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{file} is malformed ({type(error).__name__}: {error}): run the study again") from None


# --- words ------------------------------------------------------------------------------------------------------------


def said_value(row: Row) -> str:
    """``0.042 ± 0.003 MeV``; a dash for what was not measured.

    Examples:
        >>> said_value({"value": 0.0421, "error": 0.003, "unit": "MeV"})
        '0.042 ± 0.003 MeV'
    """
    value, error = (math.nan if row[key] is None else float(row[key]) for key in ("value", "error"))
    text = plus_minus(value, error)
    return f"{text} {row['unit']}" if row["unit"] and not math.isnan(value) else text


def said_criterion(row: Row) -> str:
    """The range that passes: ``≤ 0.1 MeV``, ``≥ 5``, ``0.5 to 1.2``; empty if the row has none.

    Examples:
        >>> said_criterion({"low": None, "high": 0.1, "unit": "MeV"}), said_criterion({"low": 0.5, "high": 1.2})
        ('≤ 0.1 MeV', '0.5 to 1.2')
    """
    low, high = (None if row.get(name) is None else f"{row[name]:g}".replace("-", "−") for name in BOUNDS)
    if low is None and high is None:
        return ""
    text = f"≥ {low}" if high is None else f"≤ {high}" if low is None else f"{low} to {high}"
    return f"{text} {row['unit']}" if row.get("unit") else text


def said_verdict(row: Row) -> str:
    """``pass``, ``FAIL``, or nothing for a row without criterion."""
    return VERDICTS[passes(row)]


def met(rows: Sequence[Row]) -> tuple[int, int]:
    """How many criteria are met, of how many."""
    found = [verdict for verdict in map(passes, rows) if verdict is not None]
    return sum(found), len(found)


def plain(word: str) -> str:
    """A name of a target or measure as words."""
    return word.replace("_", " ")


# --- tables and sections ----------------------------------------------------------------------------------------------


def checks_table(
    validation: Validation, rows: Sequence[Row], caption: str = "", names: Mapping[str, str] | None = None
) -> Table:
    """Rows of checks, one a line: of what, which number, with error, criterion and verdict.

    Args:
        validation: of the run.
        rows: which of its rows, say ``validation.of("conservation")``.
        caption: HTML. What errors and criteria are is said behind it.
        names: words for targets and metrics, by name. None, or a name that is not there: the name itself.
    """

    def word(name: str) -> str:
        return (names or {}).get(name, plain(name))

    cells = [
        (
            f"{word(row['target'])}: {word(row['metric'])}", validation.subject(row),
            said_value(row), said_criterion(row), said_verdict(row),
        )
        for row in rows
    ]  # fmt: skip
    note = "Errors: one standard error. The criterion is the range in which the value itself must lie."
    return Table(HEADER, tuple(cells), f"{caption} {note}".strip())


def overview(validation: Validation) -> Section:
    """A line a check: how many criteria there are, how many are met, how long it took."""
    lines = []
    for name, title in validation.checks.items():
        rows = validation.of(name)
        good, judged = met(rows)
        counted = f"{good} of {judged}" if judged else "–"
        verdict = VERDICTS[good == judged if judged else None]
        lines.append((title, str(len(rows)), counted, verdict, duration(validation.seconds[name])))
    good, judged = met(validation.rows)
    text = f"{good} of {judged} criteria are met."
    missed = [row for row in validation.rows if passes(row) is False]
    if missed:
        words = (
            f"{validation.subject(row)}, {plain(row['target'])}: {plain(row['metric'])} {said_value(row)}"
            f" ({said_criterion(row)})"
            for row in missed
        )
        text += "\n\nNot met:\n\n<ul>" + "".join(f"<li>{escape(one)}</li>" for one in words) + "</ul>"
    header = ("check", "numbers", "criteria met", "verdict", "time")
    return Section("Verdict", text, (), Table(header, tuple(lines), "The checks, in their order."))


def check_sections(validation: Validation) -> list[Section]:
    """A section a check, with its table."""
    return [
        Section(title[:1].upper() + title[1:], "", (), checks_table(validation, validation.of(name)))
        for name, title in validation.checks.items()
    ]


def verdicts(runs: Sequence[Validation]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of a table of one or more runs on the terminal: what was found in each, with its verdict.

    Args:
        runs: of any studies that validate; the criterion shown is that of the first run that has the number.
    """
    places = dict.fromkeys(
        (row["sample"], row["predictor"], row["target"], row["metric"]) for one in runs for row in one.rows
    )
    lines = []
    for check, *place in places:
        found = [one.row(check, *place) for one in runs]
        first = next(row for row in found if row is not None)
        values = ["" if row is None else f"{said_value(row)} {said_verdict(row)}".strip() for row in found]
        lines.append((check, place[0], f"{plain(place[1])}: {plain(place[2])}", *values, said_criterion(first)))
    labels = ["value"] if len(runs) == 1 else [one.label for one in runs]
    return ("check", "subject", "quantity", *labels, "criterion"), lines
