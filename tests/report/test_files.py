"""Files of a run: what is missing is empty, what is malformed is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudchamber.report.files import read_arrays, read_history, read_metrics, read_predictions
from cloudchamber.schema import BadInput


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
