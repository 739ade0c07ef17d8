"""Verdicts on scores of the nuclear-shape study follow the numbers, whichever way they come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudchamber.report.nuclei import nuclear_shape_sections
from cloudchamber.report.page import Section


def changed_metrics(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change every row of metrics.json."""
    content = json.loads((run / "metrics.json").read_text())
    for row in content["rows"]:
        change(row)
    (run / "metrics.json").write_text(json.dumps(content))


def test_winner_and_numbers_come_from_the_metrics(pristine: Path, nuclear_sections: list[Section]) -> None:
    rows = json.loads((pristine / "metrics.json").read_text())["rows"]
    chosen = {
        row["predictor"]: row["value"]
        for row in rows
        if (row["sample"], row["target"], row["metric"]) == ("test", "abs_beta2", "mae")
    }
    table = next(section.table for section in nuclear_sections if section.title == "Predictors compared")
    assert table is not None
    column = table.header.index("|β₂| MAE")
    (winner,) = [row for row, place in table.winners if place == column]
    assert table.rows[winner][0] == "SE-ResNet-34"
    assert min(chosen, key=chosen.__getitem__) == "se_resnet"


def test_says_so_if_a_baseline_or_the_floor_wins(
    run: Path, fast: None, config: Any, text_of: Callable[..., str]
) -> None:
    def ridge_wins(row: dict[str, Any]) -> None:
        if row["predictor"] == "ridge" and row["metric"] == "r2":
            row["value"], row["error"] = 0.999, 0.0001

    changed_metrics(run, ridge_wins)
    short = text_of(nuclear_shape_sections(run, config), "In short")
    assert "Best R² of |β₂|: <b>ridge on centrality moments</b>" in short
    assert "the best network is SE-ResNet-34" in short

    def floor_wins(row: dict[str, Any]) -> None:
        if row["predictor"] == "mean" and row["metric"] == "r2":
            row["value"] = 1.0

    changed_metrics(run, floor_wins)
    assert "nothing is better than predicting the mean" in text_of(nuclear_shape_sections(run, config), "In short")


def test_degeneracy_is_judged_by_the_number(
    run: Path,
    nuclear_sections: list[Section],
    fast: None,
    config: Any,
    text_of: Callable[..., str],
) -> None:
    assert "degeneracy is seen here too" in text_of(nuclear_sections, "The sign")

    def leak(row: dict[str, Any]) -> None:
        if (row["predictor"], row["target"], row["metric"]) == ("se_resnet", "beta2", "r2"):
            row["value"], row["error"] = 0.6, 0.05

    changed_metrics(run, leak)
    assert "<b>not</b> complete" in text_of(nuclear_shape_sections(run, config), "The sign")


def test_uncertainties_are_judged_by_their_pull_widths(
    nuclear_sections: list[Section], text_of: Callable[..., str]
) -> None:
    table = next(section.table for section in nuclear_sections if section.title.startswith("Are the uncertainties"))
    assert table is not None
    widths = {row[0]: dict(zip(table.header[1:], row[1:], strict=True)) for row in table.rows}
    assert float(widths["SE-ResNet-34"]["|β₂|: pull width"].split(" ")[0]) == pytest.approx(1, abs=0.2)
    assert float(widths["SE-ResNet-34"]["|β₄|: pull width"].split(" ")[0]) > 1.2
    assert widths["SE-ResNet-34"]["β₂: pull width"] == "–"
    assert widths["SE-ResNet-34, with size"]["β₂: pull width"] != "–"
    assert "of the 7 pull widths of networks 4 right and 3 too wide" in text_of(
        nuclear_sections, "Are the uncertainties"
    )


def test_squeeze_excitation_warns_of_unequal_ensembles(
    nuclear_sections: list[Section], text_of: Callable[..., str]
) -> None:
    text = text_of(nuclear_sections, "Predictors compared")
    assert "% of the MAE of |β₂|" in text
    assert "3 and 2 members" in text
