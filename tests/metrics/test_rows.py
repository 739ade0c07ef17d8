"""Rows of metrics.json: keys and order; those of numbers against each metric by itself, drawn in the same order."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.calibration import coverage
from cloudchamber.metrics.classification import sign_accuracy
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.regression import mae, r2
from cloudchamber.metrics.rows import regression_rows, row


def test_a_row_has_its_columns_in_order() -> None:
    one = row("ridge", "energy", "mae", Measured(1.0, 0.5, 7), "GeV")
    assert list(one) == ["predictor", "target", "metric", "value", "error", "n", "unit"]
    assert list(one.values()) == ["ridge", "energy", "mae", 1.0, 0.5, 7, "GeV"]
    assert row("ridge", "energy", "r2", Measured(1.0, 0.5, 7))["unit"] == ""


def test_rows_of_numbers_are_the_metrics_in_order() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(80, 2)).astype(np.float32)
    said = truth + rng.normal(0, 0.3, size=(80, 2)).astype(np.float32)
    std = np.full_like(said, 0.3)
    predictions = {"network": Prediction(said, std), "floor": Prediction(np.zeros_like(said))}

    def sign(true, mean, rng):
        return {"sign_accuracy": sign_accuracy(true, mean, 0.1, rng)}

    rows = regression_rows(truth, predictions, np.random.default_rng(2), ("a", "b"), "fm", extra={"b": sign})
    again = np.random.default_rng(2)
    expected = []
    for name, one in predictions.items():
        for column, target in enumerate("ab"):
            pair = truth[:, column], one.mean[:, column]
            found = {"r2": r2(*pair, again), "mae": mae(*pair, again)}
            if target == "b":
                found["sign_accuracy"] = sign_accuracy(*pair, 0.1, again)
            if one.std is not None:
                found["coverage_68"] = coverage(*pair, one.std[:, column], 0.68)
                found["coverage_95"] = coverage(*pair, one.std[:, column], 0.95)
            expected += [row(name, target, metric, m, "fm" if metric == "mae" else "") for metric, m in found.items()]
    assert rows == expected
    assert len(rows) == 2 * 5 + 3 - 1 + 2
    assert rows[0]["value"] == pytest.approx(0.9, abs=0.05)
