"""Figures of any study: axes have labels, points are where they belong, gaps are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cloudchamber.data.samples import Prediction
from cloudchamber.report import figures


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
