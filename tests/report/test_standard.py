"""The report of any study: made from the run directory alone."""

from __future__ import annotations

from pathlib import Path

import h5py

from cloudchamber.report.page import write_page
from cloudchamber.report.standard import standard_sections


def test_any_predictor_study_gets_the_standard_sections(run: Path) -> None:
    with h5py.File(run / "predictions.h5", "r+") as file:
        file.attrs["targets"] = ["abs_beta2", "abs_beta4", "beta2", "beta4"]
        file.attrs["unit"] = "fm"
    sections = standard_sections(run)
    assert [section.title for section in sections] == [
        "Predictors compared",
        "Predictors compared: sharp-surface",
        "Predicted against true",
        "Are the uncertainties true?",
        "Training",
    ]
    text = write_page(run, sections).read_text()
    assert "true abs_beta2 [fm]" in text


def test_without_predictions_and_history_only_the_tables_are_left(run: Path) -> None:
    (run / "predictions.h5").unlink()
    (run / "history.csv").unlink()
    assert [section.title for section in standard_sections(run)] == [
        "Predictors compared",
        "Predictors compared: sharp-surface",
    ]
