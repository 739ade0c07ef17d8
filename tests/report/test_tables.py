"""Scores side by side: the winner is right, and ties are ties."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from cloudchamber.report.files import read_metrics
from cloudchamber.report.tables import comparison_table, ranking


def row(predictor: str, metric: str, value: float | None, error: float | None = 0.01, **more: Any) -> dict[str, Any]:
    """A row of metrics.json."""
    return {
        "predictor": predictor, "sample": "test", "target": "x", "metric": metric, "value": value, "error": error,
        "n": 50, "floor": None, "unit": "", **more,
    }  # fmt: skip


def written(path: Path, rows: list[dict[str, Any]], kinds: dict[str, str]) -> Any:
    """Metrics through a file."""
    predictors = {name: {"title": f"the {name}", "kind": kind} for name, kind in kinds.items()}
    (path / "metrics.json").write_text(json.dumps({"predictors": predictors, "rows": rows}))
    return read_metrics(path / "metrics.json")


KINDS = {"mean": "floor", "net": "network", "fit": "baseline", "tree": "baseline"}


def test_table_marks_winner_and_tie_in_groups_of_methods(tmp_path: Path) -> None:
    rows = [row("mean", "mae", 0.2), row("net", "mae", 0.05), row("fit", "mae", 0.055), row("tree", "mae", 0.1)]
    rows += [row("mean", "r2", 0.0), row("net", "r2", 0.9), row("fit", "r2", 0.95), row("tree", "r2", 0.7)]
    metrics = written(tmp_path, rows, KINDS)
    table = comparison_table(metrics, [("x", "mae", "MAE"), ("x", "r2", "R²"), ("y", "r2", "none")], "")
    assert table.header == ("predictor", "MAE", "R²")
    assert [cells[0] for cells in table.rows] == ["the fit", "the tree", "the net", "the mean"]
    assert table.winners == {(2, 1), (0, 2)}  # the network has the smallest error, the baseline the largest R2
    assert table.ties == {(0, 1)}
    assert [table.groups[number] for number in (0, 2, 3)] == [
        "Physicist's methods and statistical learners", "Networks", "Floor",
    ]  # fmt: skip


def test_the_floor_can_win(tmp_path: Path) -> None:
    metrics = written(tmp_path, [row("mean", "mae", 0.2), row("net", "mae", 0.3)], KINDS)
    table = comparison_table(metrics, [("x", "mae", "MAE")], "")
    assert table.rows[1][0] == "the mean"
    assert table.winners == {(1, 1)}


def test_a_floor_without_a_predictor_gets_its_own_row(tmp_path: Path) -> None:
    metrics = written(tmp_path, [row("net", "auc", 0.9, floor=0.5, unit="")], {"net": "network"})
    table = comparison_table(metrics, [("x", "auc", "AUC")], "")
    assert table.rows[-1] == ("no skill", "0.5")
    assert table.groups[1] == "Floor"


def test_unit_stands_in_the_header(tmp_path: Path) -> None:
    metrics = written(tmp_path, [row("net", "mae", 0.9, unit="fm")], {"net": "network"})
    assert comparison_table(metrics, [("x", "mae", "MAE")], "").header[1] == "MAE [fm]"


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("r2", [0.5, 0.9], 1), ("mae", [0.5, 0.9], 0), ("coverage_68", [0.9, 0.66], 1), ("pull_width", [1.4, 0.9], 1),
        ("bias", [-0.1, 0.05], 1), ("sign_accuracy", [1.0, 0.7], 0),
    ],
)  # fmt: skip
def test_ranking_knows_what_is_better(tmp_path: Path, metric: str, values: list[float], best: int) -> None:
    names = ["net", "fit"]
    rows = [row(name, metric, value) for name, value in zip(names, values, strict=True)]
    assert ranking(written(tmp_path, rows, KINDS), "x", metric)[0][0] == names[best]


def test_unknown_metric_and_nan_have_no_winner(tmp_path: Path) -> None:
    metrics = written(
        tmp_path, [row("net", "charm", 1.0), row("fit", "mae", math.nan), row("tree", "mae", None)], KINDS
    )
    table = comparison_table(metrics, [("x", "charm", "charm"), ("x", "mae", "MAE")], "")
    assert table.header == ("predictor", "charm")
    assert not table.winners
