"""Figures and tables of any study: the winner is right, ties are ties, numbers are rounded as physicists do."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloudchamber.data.samples import Prediction
from cloudchamber.report import figures, style
from cloudchamber.report.files import read_arrays, read_history, read_metrics, read_predictions
from cloudchamber.schema import BadInput


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


def test_winner_tie_and_groups(tmp_path: Path) -> None:
    rows = [row("mean", "mae", 0.2), row("net", "mae", 0.05), row("fit", "mae", 0.055), row("tree", "mae", 0.1)]
    rows += [row("mean", "r2", 0.0), row("net", "r2", 0.9), row("fit", "r2", 0.95), row("tree", "r2", 0.7)]
    metrics = written(tmp_path, rows, KINDS)
    table = figures.comparison_table(metrics, [("x", "mae", "MAE"), ("x", "r2", "R²"), ("y", "r2", "none")], "")
    assert table.header == ("predictor", "MAE", "R²")
    assert [cells[0] for cells in table.rows] == ["the fit", "the tree", "the net", "the mean"]
    assert table.winners == {(2, 1), (0, 2)}  # the network has the smallest error, the baseline the largest R2
    assert table.ties == {(0, 1)}
    assert [table.groups[number] for number in (0, 2, 3)] == [
        "Physicist's methods and statistical learners", "Networks", "Floor",
    ]  # fmt: skip


def test_the_floor_can_win(tmp_path: Path) -> None:
    metrics = written(tmp_path, [row("mean", "mae", 0.2), row("net", "mae", 0.3)], KINDS)
    table = figures.comparison_table(metrics, [("x", "mae", "MAE")], "")
    assert table.rows[1][0] == "the mean"
    assert table.winners == {(1, 1)}


def test_floor_row_without_a_floor_predictor(tmp_path: Path) -> None:
    metrics = written(tmp_path, [row("net", "auc", 0.9, floor=0.5, unit="")], {"net": "network"})
    table = figures.comparison_table(metrics, [("x", "auc", "AUC")], "")
    assert table.rows[-1] == ("no skill", "0.5")
    assert table.groups[1] == "Floor"


def test_unit_stands_in_the_header(tmp_path: Path) -> None:
    metrics = written(tmp_path, [row("net", "mae", 0.9, unit="fm")], {"net": "network"})
    assert figures.comparison_table(metrics, [("x", "mae", "MAE")], "").header[1] == "MAE [fm]"


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
    assert figures.ranking(written(tmp_path, rows, KINDS), "x", metric)[0][0] == names[best]


def test_unknown_metric_and_nan_have_no_winner(tmp_path: Path) -> None:
    metrics = written(
        tmp_path, [row("net", "charm", 1.0), row("fit", "mae", math.nan), row("tree", "mae", None)], KINDS
    )
    table = figures.comparison_table(metrics, [("x", "charm", "charm"), ("x", "mae", "MAE")], "")
    assert table.header == ("predictor", "charm")
    assert not table.winners


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.98213, 0.0042, "0.982 ± 0.004"), (0.98213, 0.0149, "0.982 ± 0.015"), (-3.2, 0.51, "−3.2 ± 0.5"),
        (123.4, 21.0, "123 ± 21"), (0.5, math.nan, "0.5"), (math.nan, 0.1, "–"), (1.0, 0.0, "1"),
        (0.0996, 0.00996, "0.100 ± 0.010"),
        (0.5, 0.0196, "0.50 ± 0.02"), (98.04, 1.2, "98.0 ± 1.2"), (1.0, 4.4e22, "1 ± 4e+22"),
    ],
)  # fmt: skip
def test_plus_minus(value: float, error: float, text: str) -> None:
    assert figures.plus_minus(value, error) == text


@pytest.mark.parametrize(
    "content",
    [
        "nonsense", "[]", "{}", '{"rows": {}}', '{"rows": [1]}', '{"rows": [{"predictor": "a"}]}',
        '{"rows": [{"predictor": "a", "target": "x", "metric": "r2", "value": "high"}]}',
        '{"rows": [], "predictors": []}',
    ],
)  # fmt: skip
def test_malformed_metrics_are_bad_input(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(BadInput) as caught:
        read_metrics(tmp_path / "metrics.json")
    assert "metrics.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_are_empty_and_damaged_ones_bad_input(tmp_path: Path) -> None:
    assert read_history(tmp_path / "history.csv") == []
    assert read_predictions(tmp_path / "predictions.h5") == {}
    assert read_arrays(tmp_path / "gallery.h5") == {}
    (tmp_path / "x.h5").write_bytes(b"no HDF5")
    for read in (read_predictions, read_arrays):
        with pytest.raises(BadInput, match=r"x\.h5 cannot be read"):
            read(tmp_path / "x.h5")


def test_history_may_have_gaps(tmp_path: Path) -> None:
    lines = [
        {"predictor": "net", "member": "0", "epoch": "0", "train_loss": "1.0", "validation_score": ""},
        {"predictor": "net", "member": "0", "epoch": "1", "train_loss": "0.5", "validation_score": "0.7", "more": "x"},
        {"predictor": "net", "epoch": "", "train_loss": "?", "validation_score": "nan"},
    ]
    drawing = figures.training_curves(lines, {"net": "the net"}, {"net": "network"})
    left, right = drawing.axes
    assert [len(np.asarray(line.get_xdata())) for line in left.lines] == [2]
    assert [len(np.asarray(line.get_xdata())) for line in right.lines] == [1]


def test_axes_have_labels_and_points_are_where_they_belong() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1, (40, 1))
    said = Prediction((truth + 0.1).astype(np.float32), np.full((40, 1), 0.1, np.float32))
    drawing = figures.predicted_against_true(
        truth, {"net": said}, 0, {"net": "the net"}, {"net": "network"}, "mass [u]"
    )
    assert drawing.get_supxlabel() == "true mass [u]"
    assert drawing.get_supylabel() == "predicted mass [u]"
    texts = [text.get_text() for text in drawing.axes[0].texts]
    assert any("MAE 0.100" in text for text in texts)


def test_svg_is_one_element_without_links_and_always_the_same() -> None:
    truth = np.linspace(0, 1, 20)[:, None]
    said = {"net": Prediction(truth.astype(np.float32), np.full((20, 1), 0.1, np.float32))}
    texts = [
        style.svg(figures.coverage_curves(truth, said, [0], ["x"], {"net": "the net"}, {"net": "network"}))
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert texts[0].startswith("<svg")
    assert texts[0].rstrip().endswith("</svg>")
    assert "<metadata>" not in texts[0]


def test_style_does_not_leak() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figures.training_curves([], {}, {})
        assert dict(mpl.rcParams) == before


def test_colours_differ_and_the_floor_is_grey() -> None:
    kinds = {"mean": "floor", **{f"b{i}": "baseline" for i in range(6)}, **{f"n{i}": "network" for i in range(3)}}
    found = style.colours(kinds)
    assert found["mean"] == style.GREY
    assert len(set(found.values())) == len(kinds)
    assert found["n0"] == style.PETROFF[0]
