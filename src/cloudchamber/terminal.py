"""What the command line shows: progress bars, tables of metrics, predictions."""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from cloudchamber.farm import Progress
    from cloudchamber.metrics.rows import Row
    from cloudchamber.prediction import Evaluation

PIPE_WIDTH = 120
"""Columns of a table that goes into a pipe."""

MOST_RECORDS = 20
"""Of a user's data, whose predictions are shown."""
MOST_TARGETS = 12
"""Columns of a table of predictions; a waveform has hundreds, which are in the file."""


@contextmanager
def watched(what: str) -> Iterator[Progress | None]:
    """A progress bar with the time left on a terminal; elsewhere, or with --quiet, nothing."""
    if not sys.stderr.isatty() or logging.getLogger("cloudchamber").level > logging.INFO:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def console() -> Console:
    """Standard output as a rich console; into a pipe it is PIPE_WIDTH wide."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(
        highlight=False, soft_wrap=not terminal, width=None if terminal or "COLUMNS" in os.environ else PIPE_WIDTH
    )


def value_and_error(row: Row | None) -> str:
    """``0.970 ± 0.005``; empty if not measured."""
    if row is None or row["value"] is None or math.isnan(row["value"]):
        return ""
    known = row["error"] is not None and not math.isnan(row["error"])
    return f"{row['value']:.3f}" + (f" ± {row['error']:.3f}" if known else "")


def short(mean: float, std: float | None) -> str:
    """``0.50±0.51``: both to two digits of the standard deviation; ``0.4249`` without one; empty if not a number."""
    if math.isnan(mean):
        return ""
    if std is None or not 0 < std < math.inf:
        return f"{mean:.4f}"
    digits = max(1 - math.floor(math.log10(std)), 0)
    return f"{mean:.{digits}f}±{std:.{digits}f}"


def print_metrics(runs: list[Path]) -> None:
    """A table a metric of the test sample: predictors (of each run) one way, targets the other, the longer one down."""
    from rich.table import Column, Table

    from cloudchamber.run_directory import read_metrics

    contents = {str(path): read_metrics(path) for path in runs}
    test = [(run, row) for run, metrics in contents.items() for row in metrics["rows"] if row["sample"] == "test"]
    for metric in dict.fromkeys(row["metric"] for _, row in test):
        cells = {(run, row["predictor"], row["target"]): row for run, row in test if row["metric"] == metric}
        targets = list(dict.fromkeys(target for _, _, target in cells))
        given = list(dict.fromkeys((run, predictor) for run, predictor, _ in cells))
        labels = {run: f"{one['study']} {one['preset']} s{one['seed']}" for run, one in contents.items()}
        names = [[labels[run], predictor] if len(contents) > 1 else [predictor] for run, predictor in given]
        values = [[value_and_error(cells.get((*one, target))) for target in targets] for one in given]
        if len(targets) <= max(len(given), 4):
            headers = [*(["run"] if len(contents) > 1 else []), metric, *targets]
            table = Table(*(Column(header, no_wrap=True) for header in headers), box=None, pad_edge=False)
            for name, row in zip(names, values, strict=True):
                table.add_row(*name, *row)
        else:
            table = Table(metric, *("\n".join(name) for name in names), box=None, pad_edge=False)
            for target, column in zip(targets, zip(*values, strict=True), strict=True):
                table.add_row(target, *column)
        console().print(table)
        print()


def print_rows(rows: list[Row]) -> None:
    """Rows of metrics, one a line, with their samples if they name any."""
    from rich.table import Table

    keys = (*(["sample"] if any("sample" in row for row in rows) else []), "predictor", "target", "metric")
    table = Table(*keys, "value", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(row[key] for key in keys), value_and_error(row))
    console().print(table)


def print_generators(rows: list[Row]) -> None:
    """Generators in columns; down: measures of the whole event (target "all"), and laws that any of them violates.

    Studies that have no such measures: all rows.
    """
    from rich.table import Column, Table

    chosen = [row for row in rows if row["target"] == "all"]
    if not chosen:
        print_rows(rows)
        return
    broken = [row for row in rows if row["metric"].startswith("violation_rate")]
    violated = {(row["target"], row["metric"]) for row in broken if row["value"] > 0}
    chosen += [row for row in broken if (row["target"], row["metric"]) in violated]
    cells = {(row["sample"], row["metric"], row["target"], row["predictor"]): row for row in chosen}
    names = list(dict.fromkeys(row["predictor"] for row in rows))
    several = len({row["sample"] for row in chosen}) > 1
    columns = (Column("measure", overflow="fold"), *(Column(name, no_wrap=True) for name in names))
    table = Table(*(["sample"] if several else []), *columns, box=None, pad_edge=False)
    for sample, metric, target in dict.fromkeys(key[:3] for key in cells):
        values = (value_and_error(cells.get((sample, metric, target, name))) for name in names)
        measure = metric if target == "all" else f"{metric} {target}"
        table.add_row(*([sample] if several else []), measure, *values)
    console().print(table)


def print_predictions(found: Evaluation, targets: tuple[str, ...]) -> None:
    """What each predictor says of the first records, with p-values if there are any."""
    from rich.table import Column, Table

    judged = ["p_value"] if found.p_values else []
    shown = targets[:MOST_TARGETS]
    columns = (Column(name, overflow="fold") for name in ("record", "predictor", *judged, *shown, "in range"))
    table = Table(*columns, box=None, pad_edge=False)
    for record in range(min(len(found.outside), MOST_RECORDS)):
        for name, prediction in found.predictions.items():
            stds = [None] * len(shown) if prediction.std is None else prediction.std[record, : len(shown)]
            cells = [f"{found.p_values[name][record]:.3g}" for _ in judged]
            cells += [short(m, s) for m, s in zip(prediction.mean[record, : len(shown)], stds, strict=True)]
            table.add_row(str(record), name, *cells, "no" if found.outside[record] else "yes")
    console().print(table)


def print_runs(runs: list[Path]) -> None:
    """Several runs: a table a metric of those that learned, one of the checks of those that validate."""
    from cloudchamber.report.validation import read_validation, verdicts

    print_metrics(runs)
    if validations := [one for one in map(read_validation, runs) if one is not None]:
        print_table(*verdicts(validations))
        print()


def print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table of texts."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(*map(escape, header), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    console().print(table)
